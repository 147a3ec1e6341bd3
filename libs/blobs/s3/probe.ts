import { newId } from '../../runtime/ids.ts';
import { StoreFull } from '../../store/errors.ts';
import { UnusableBlobStore } from '../errors.ts';
import type { S3Request } from './client.ts';
import { S3Failure } from './failure.ts';
import { bodyPrefix, probePrefix } from './names.ts';

/** Does once what the store will do all the time. @throws UnusableBlobStore */
export async function tryS3(request: S3Request): Promise<void> {
  const key = `${probePrefix}${newId()}`;
  const sent = `Waypost tries this bucket: ${key}\n`;
  try {
    await request('put', (s3) => s3.putObject(key, sent), { tries: 2 });
    const got = await request('read', (s3) => s3.getObject(key), { tries: 2 });
    if (got !== sent) throw new S3Failure('read', 200, 'OtherBytes');
    await request('list', (s3) => s3.listObjectsPaged('/', bodyPrefix, 1), { tries: 2 });
    await request('removal', (s3) => s3.deleteObject(key), { tries: 2 });
  } catch (error) {
    if (error instanceof StoreFull) throw new UnusableBlobStore(error.message, 'make room in the bucket');
    if (error instanceof S3Failure) throw new UnusableBlobStore(error.message, remedyOf(error));
    throw error;
  }
}

function remedyOf({ status, code }: S3Failure): string {
  const byCode = remedies.find(([codes]) => codes.test(code))?.[1];
  if (byCode !== undefined) return byCode;
  if (status === undefined)
    return 'see that the server runs, that `endpoint` names it, and that nothing between blocks it';
  if (status === 403) return rights;
  if (status === 404) return remedyOfBucket;
  if (status < 400) return remedyOfRegion;
  return 'look into the log of the S3 server, and try `endpoint`, bucket and keys with another client';
}

const remedyOfBucket = 'make the bucket, or correct its name in s3://<bucket>?…';
const remedyOfRegion = 'correct `region` and `endpoint`: they have to be those of the bucket';
const rights =
  'let this key do s3:PutObject, s3:GetObject, s3:DeleteObject, s3:AbortMultipartUpload, s3:ListBucket and s3:ListBucketMultipartUploads in the bucket';

const remedies: readonly (readonly [codes: RegExp, remedy: string])[] = [
  [/^(?:ENOTFOUND|EAI_AGAIN)$/, 'the name of `endpoint` doesn’t resolve: correct it, or the DNS of this machine'],
  [/CERT|SELF_SIGNED|VERIFY|ALTNAME/, 'give the certificate authority of `endpoint` in NODE_EXTRA_CA_CERTS'],
  [/SSL|TLS|EPROTO|PACKET_LENGTH/, '`endpoint` doesn’t speak TLS there: correct its port, or take http: on loopback'],
  [/^NoSuchBucket$/, remedyOfBucket],
  [/^(?:InvalidAccessKeyId|XAdminUserNotFound)$/, 'correct WAYPOST_BLOBS_ACCESS_KEY: the server doesn’t know it'],
  [/^SignatureDoesNotMatch$/, 'correct WAYPOST_BLOBS_SECRET_KEY: it isn’t the one of the access key'],
  [/^RequestTimeTooSkewed$/, 'set the clock of this machine or of the server (NTP)'],
  [/^(?:AuthorizationHeaderMalformed|PermanentRedirect|IllegalLocationConstraintException)$/, remedyOfRegion],
  [/^AccessDenied$/, rights],
];
