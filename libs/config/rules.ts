import { s3Location, s3UrlForm } from '../blobs/s3-location.ts';
import { isLoopbackHost } from '../runtime/loopback.ts';
import type { ConfigProblem } from './invalid-config.ts';
import type { GivenConfig } from './load.ts';

/** What values that are right by themselves can't be together. */
export function contradictions(config: GivenConfig): ConfigProblem[] {
  return [
    ...pairs(config),
    ...natsLogins(config),
    ...production(config),
    ...plaintextBackends(config),
    ...listeners(config),
    ...times(config),
  ];
}

function pairs(config: GivenConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if ((config.mongodbUrl === undefined) !== (config.natsUrl === undefined)) {
    const missing = config.mongodbUrl === undefined ? 'WAYPOST_MONGODB_URL' : 'WAYPOST_NATS_URL';
    const given = config.mongodbUrl === undefined ? 'WAYPOST_NATS_URL' : 'WAYPOST_MONGODB_URL';
    problems.push({
      name: missing,
      wrong: `${given} is given without it`,
      expected: 'both for a cluster, neither for embedded',
    });
  }
  if ((config.tlsCertFile === undefined) !== (config.tlsKeyFile === undefined)) {
    const missing = config.tlsCertFile === undefined ? 'WAYPOST_TLS_CERT_FILE' : 'WAYPOST_TLS_KEY_FILE';
    problems.push({
      name: missing,
      wrong: 'only the other half of the pair is given',
      expected: 'certificate and key, or neither',
    });
  }
  if (
    config.blobsUrl?.startsWith('s3:') === true &&
    (config.blobsAccessKey === undefined || config.blobsSecretKey === undefined)
  ) {
    problems.push({
      name: 'WAYPOST_BLOBS_URL',
      wrong: 's3: needs keys',
      expected: 'WAYPOST_BLOBS_ACCESS_KEY and WAYPOST_BLOBS_SECRET_KEY',
    });
  } else if (config.blobsUrl?.startsWith('s3:') === true && s3Location(config.blobsUrl) === undefined) {
    problems.push({ name: 'WAYPOST_BLOBS_URL', wrong: 'the value has the wrong form', expected: s3UrlForm });
  }
  if (config.blobsUrl === 'gridfs:' && config.mongodbUrl === undefined) {
    problems.push({
      name: 'WAYPOST_BLOBS_URL',
      wrong: 'gridfs: is a part of MongoDB',
      expected: 'WAYPOST_MONGODB_URL, or file: or s3:',
    });
  }
  return problems;
}

/** One way to prove who we are: with several, which one counts would be the server's choice. */
function natsLogins(config: GivenConfig): ConfigProblem[] {
  const given = [
    ['WAYPOST_NATS_CREDS_FILE', config.natsCredsFile],
    ['WAYPOST_NATS_NKEY', config.natsNkey],
    ['WAYPOST_NATS_TOKEN', config.natsToken],
    ['WAYPOST_NATS_URL', config.natsUrl?.includes('@') === true ? 'with a user' : undefined],
  ].flatMap(([name, value]) => (name === undefined || value === undefined ? [] : [name]));
  const [name, other] = given;
  if (name === undefined || other === undefined) return [];
  return [{ name, wrong: `${other} says who we are too`, expected: 'one way to log in to NATS' }];
}

function production(config: GivenConfig): ConfigProblem[] {
  if (!config.production) return [];
  const problems: ConfigProblem[] = [];
  if (config.sampleAccounts === true) {
    problems.push({
      name: 'WAYPOST_SAMPLE_ACCOUNTS',
      wrong: 'true in production',
      expected: 'false, or WAYPOST_PRODUCTION=false',
    });
  }
  if (config.adminPassword === undefined) {
    problems.push({
      name: 'WAYPOST_ADMIN_PASSWORD_FILE',
      wrong: 'production needs the administrator’s password',
      expected: 'a file with the password',
    });
  }
  return problems;
}

function plaintextBackends(config: GivenConfig): ConfigProblem[] {
  if (config.allowPlaintextBackends) return [];
  const problems: ConfigProblem[] = [];
  const expected = 'TLS, or WAYPOST_ALLOW_PLAINTEXT_BACKENDS=true';
  if (config.mongodbUrl !== undefined && !isProtectedMongo(config.mongodbUrl)) {
    problems.push({ name: 'WAYPOST_MONGODB_URL', wrong: 'a host off loopback without TLS', expected });
  }
  // With authorities of its own the client insists on TLS.
  const natsTls = config.natsCaFile !== undefined;
  if (config.natsUrl !== undefined && !natsTls && !config.natsUrl.split(',').every(isProtectedNats)) {
    problems.push({ name: 'WAYPOST_NATS_URL', wrong: 'a host off loopback without TLS', expected });
  }
  const s3 = s3Location(config.blobsUrl ?? '');
  if (s3 !== undefined && !isProtectedHttp(s3.endpoint)) {
    problems.push({ name: 'WAYPOST_BLOBS_URL', wrong: 'an endpoint off loopback without TLS', expected });
  }
  return problems;
}

function isProtectedHttp(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || isLoopbackHost(hostname.replace(/^\[|\]$/g, ''));
}

/** mongodb+srv implies TLS; several hosts may stand before the slash. */
function isProtectedMongo(url: string): boolean {
  if (/[?&](?:tls|ssl)=true\b/.test(url)) return true;
  if (url.startsWith('mongodb+srv:')) return !/[?&](?:tls|ssl)=false\b/.test(url);
  const authority = /^mongodb:\/\/([^/?]*)/.exec(url)?.[1] ?? '';
  return hosts(authority.slice(authority.lastIndexOf('@') + 1)).every(isLoopbackHost);
}

function isProtectedNats(url: string): boolean {
  if (/^\s*tls:/.test(url)) return true;
  const authority = url.trim().replace(/^[a-z]+:\/\//, '');
  return hosts(authority.slice(authority.lastIndexOf('@') + 1).replace(/\/.*$/, '')).every(isLoopbackHost);
}

function hosts(list: string): string[] {
  return list.split(',').map((host) =>
    host
      .trim()
      .replace(/:\d+$/, '')
      .replace(/^\[|\]$/g, ''),
  );
}

function listeners(config: GivenConfig): ConfigProblem[] {
  const named = [
    ['WAYPOST_HTTP_LISTEN', config.httpListen],
    ['WAYPOST_MX_LISTEN', config.mxListen],
    ['WAYPOST_SUBMISSION_LISTEN', config.submissionListen],
    ['WAYPOST_SUBMISSIONS_LISTEN', config.submissionsListen],
    ['WAYPOST_LMTP_LISTEN', config.lmtpListen],
    ['WAYPOST_OPS_LISTEN', config.opsListen],
  ] as const;
  const problems: ConfigProblem[] = [];
  const seen = new Map<string, string>();
  for (const [name, address] of named) {
    if (address === 'off' || address.port === 0) continue;
    const key = `${address.host}:${address.port}`;
    const other = seen.get(key);
    if (other !== undefined)
      problems.push({ name, wrong: `the same address as ${other}`, expected: 'an address of its own' });
    seen.set(key, name);
  }
  return problems;
}

function times(config: GivenConfig): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  const expected = 'a shorter duration';
  if (config.delayNoticeAfterMs > config.expireAfterMs)
    problems.push({ name: 'WAYPOST_DELAY_NOTICE_AFTER', wrong: 'longer than WAYPOST_EXPIRE_AFTER', expected });
  // Only its own: the one for all may well be longer than what a route gives its mail, and is then not reached.
  const late = config.routes.some(
    (route) => (route.delayNoticeAfterMs ?? 0) > (route.expireAfterMs ?? config.expireAfterMs),
  );
  if (late) problems.push({ name: 'WAYPOST_ROUTES', wrong: 'a delayNotice is longer than its expire', expected });
  return problems;
}
