/** Where the bodies are, by WAYPOST_BLOBS_URL: `s3://bucket?endpoint=https://s3.example.org&region=eu-1`. */
export interface S3Location {
  bucket: string;
  /** Without a slash at its end; the bucket follows as the first part of the path. */
  endpoint: string;
  region: string;
}

export const s3UrlForm = 's3://bucket?endpoint=https://host[:port]&region=…';

/** Undefined when the URL hasn't this form. A region that isn't given is us-east-1, which servers other than Amazon's take. */
export function s3Location(url: string): S3Location | undefined {
  const [, bucket, query = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/?(?:\?(.*))?$/.exec(url) ?? [];
  if (bucket === undefined) return undefined;
  const given = new URLSearchParams(query);
  if ([...given.keys()].some((name) => name !== 'endpoint' && name !== 'region')) return undefined;
  const endpoint = URL.parse(given.get('endpoint') ?? '');
  const region = given.get('region') ?? 'us-east-1';
  if (endpoint === null || !/^https?:$/.test(endpoint.protocol) || !/^[\w-]{1,64}$/.test(region)) return undefined;
  // Keys have settings of their own; in a URL they would be logged.
  if (endpoint.username !== '' || endpoint.password !== '' || endpoint.search !== '' || endpoint.hash !== '') {
    return undefined;
  }
  return { bucket, endpoint: endpoint.href.replace(/\/+$/, ''), region };
}
