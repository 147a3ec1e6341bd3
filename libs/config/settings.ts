import { z } from 'zod';
import { logLevels } from '../ops/log-levels.ts';
import {
  bool,
  bytes,
  duration,
  hostName,
  limits,
  listen,
  networks,
  oneOf,
  password,
  routes,
  schedule,
  secretKeys,
  servers,
  text,
  url,
} from './forms.ts';
import type { Form } from './forms.ts';

/** What is known of one name of the environment, beside its form. */
export interface Setting {
  name: string;
  default: string | undefined;
  /** What the documentation shows as default, where it isn't a fixed text. */
  defaultShown: string | undefined;
  meaning: string;
  /** The form, in words. */
  expected: string;
  /** Never printed; also read from the file that `<name>_FILE` names. */
  secret: boolean;
  group: SettingGroup;
}

export type SettingGroup =
  | 'Identity'
  | 'Listeners'
  | 'Storage and bus'
  | 'Security'
  | 'Delivery'
  | 'Operation'
  | 'Command line';

const filePath = text('the path of a file');
const mib = 1024 * 1024;

const registry = z.registry<Setting>();

/** Every setting by its field: the one schema of the environment. docs/configuration.md is made from it, and nothing else reads the environment. */
export const configSchema = z.object({
  domain: setting('Identity', 'WAYPOST_DOMAIN', hostName, 'example.test', 'The first domain, made at the first start.'),
  hostname: optional(
    'Identity',
    'WAYPOST_HOSTNAME',
    hostName,
    'This server’s name in greetings and trace headers.',
    'mail.<domain>',
  ),
  adminPassword: secret(
    'Identity',
    'WAYPOST_ADMIN_PASSWORD',
    password,
    'Password of `admin@<WAYPOST_DOMAIN>` at the first start.',
    'generated, printed once',
  ),
  sampleAccounts: optional(
    'Identity',
    'WAYPOST_SAMPLE_ACCOUNTS',
    bool,
    'Make alice and bob at the first start, also when the administrator’s password is given.',
    'true, false in production',
  ),

  httpListen: setting('Listeners', 'WAYPOST_HTTP_LISTEN', listen, '127.0.0.1:8080', 'The HTTP API.'),
  mxListen: setting('Listeners', 'WAYPOST_MX_LISTEN', listen, '127.0.0.1:2525', 'SMTP from other servers.'),
  submissionListen: setting(
    'Listeners',
    'WAYPOST_SUBMISSION_LISTEN',
    listen,
    '127.0.0.1:2587',
    'Submission by users, with STARTTLS.',
  ),
  submissionsListen: setting(
    'Listeners',
    'WAYPOST_SUBMISSIONS_LISTEN',
    listen,
    '127.0.0.1:2465',
    'Submission by users, TLS from the first byte.',
  ),
  lmtpListen: setting('Listeners', 'WAYPOST_LMTP_LISTEN', listen, 'off', 'LMTP from a trusted server.'),
  opsListen: setting(
    'Listeners',
    'WAYPOST_OPS_LISTEN',
    listen,
    '127.0.0.1:9090',
    '`/metrics`, `/livez` and `/readyz`.',
  ),

  dataDir: setting(
    'Storage and bus',
    'WAYPOST_DATA_DIR',
    text('the path of a folder'),
    './data',
    'The embedded store and generated keys. One process at a time.',
  ),
  mongodbUrl: secret(
    'Storage and bus',
    'WAYPOST_MONGODB_URL',
    url(['mongodb', 'mongodb+srv']),
    'The store of a cluster (a replica set). With WAYPOST_NATS_URL: cluster; neither: embedded; one alone is an error.',
  ),
  natsUrl: secret(
    'Storage and bus',
    'WAYPOST_NATS_URL',
    url(['nats', 'tls']),
    'The bus of a cluster; several servers are comma-separated.',
  ),
  mongodbCaFile: optional(
    'Storage and bus',
    'WAYPOST_MONGODB_CA_FILE',
    filePath,
    'Certificate authorities (PEM) for MongoDB.',
  ),
  natsCaFile: optional('Storage and bus', 'WAYPOST_NATS_CA_FILE', filePath, 'Certificate authorities (PEM) for NATS.'),
  natsCredsFile: optional('Storage and bus', 'WAYPOST_NATS_CREDS_FILE', filePath, 'NATS credentials file.'),
  natsToken: secret('Storage and bus', 'WAYPOST_NATS_TOKEN', text('a token'), 'NATS token.'),
  natsNkey: secret(
    'Storage and bus',
    'WAYPOST_NATS_NKEY',
    text('the seed of a user, SU…', /^SU[A-Z2-7]{56}$/),
    'NATS nkey.',
  ),
  blobsUrl: optional(
    'Storage and bus',
    'WAYPOST_BLOBS_URL',
    url(['file', 'gridfs', 's3']),
    'Where bodies past 256 KiB are kept: `file:DIR`, `gridfs:`, or `s3://bucket?endpoint=https://host&region=…` (path-style; the region’s default is us-east-1).',
    'file:<data>/blobs; gridfs: in a cluster',
  ),
  blobsAccessKey: secret('Storage and bus', 'WAYPOST_BLOBS_ACCESS_KEY', text('an access key'), 'S3 access key.'),
  blobsSecretKey: secret('Storage and bus', 'WAYPOST_BLOBS_SECRET_KEY', text('a secret key'), 'S3 secret key.'),
  createStreams: setting(
    'Storage and bus',
    'WAYPOST_CREATE_STREAMS',
    bool,
    'false',
    'Make missing NATS streams in production too.',
  ),

  production: setting(
    'Security',
    'WAYPOST_PRODUCTION',
    bool,
    'false',
    'No sample accounts, the administrator’s password must be given (best as a file), backends need TLS, streams must exist.',
  ),
  allowPlaintextBackends: setting(
    'Security',
    'WAYPOST_ALLOW_PLAINTEXT_BACKENDS',
    bool,
    'false',
    'MongoDB, NATS and S3 off loopback without TLS.',
  ),
  allowPlaintextLogin: setting(
    'Security',
    'WAYPOST_ALLOW_PLAINTEXT_LOGIN',
    bool,
    'false',
    'HTTP logins off loopback that came neither by TLS nor by a trusted proxy that says so.',
  ),
  secretsKeys: secret(
    'Security',
    'WAYPOST_SECRETS_KEY',
    secretKeys,
    'Encrypts private DKIM keys in the store. Without it who can read the store can read them. Make one with `openssl rand -base64 32`, the same for all services. To replace it: the new one, a comma, the old one.',
  ),
  tlsCertFile: optional(
    'Security',
    'WAYPOST_TLS_CERT_FILE',
    filePath,
    'Certificate chain (PEM); reloaded when it changes.',
    'self-signed, made at the first start',
  ),
  tlsKeyFile: optional(
    'Security',
    'WAYPOST_TLS_KEY_FILE',
    filePath,
    'Private key (PEM) of the certificate.',
    'as above',
  ),
  trustedNetworks: setting(
    'Security',
    'WAYPOST_TRUSTED_NETWORKS',
    networks,
    '',
    'Clients that may relay through the MX listener without AUTH; the rules on who owns a sender don’t apply to them.',
  ),
  srsSecret: secret(
    'Security',
    'WAYPOST_SRS_SECRET',
    text('one or two secrets of 16 to 200 characters, comma-separated', /^[^\s,]{16,200}(?:,[^\s,]{16,200})?$/),
    'Signs the return addresses of mail that aliases forward (SRS): the first signs, both are believed. The same for all of a cluster.',
    'a file in the data directory; none in a cluster',
  ),
  trustedProxies: setting(
    'Security',
    'WAYPOST_TRUSTED_PROXIES',
    networks,
    '',
    'Whose X-Forwarded-For and X-Forwarded-Proto are believed.',
  ),
  proxyProtocolNetworks: setting(
    'Security',
    'WAYPOST_PROXY_PROTOCOL_NETWORKS',
    networks,
    '',
    'Who must begin SMTP connections with the PROXY protocol.',
  ),

  routes: setting(
    'Delivery',
    'WAYPOST_ROUTES',
    routes,
    '',
    'Where mail for a domain goes instead of its MX; the host may be private.',
    true,
  ),
  limits: setting(
    'Delivery',
    'WAYPOST_LIMITS',
    limits,
    '*=connections:20,perConnection:100,perSecond:0',
    'What the whole cluster asks of one group of hosts at most: connections at a time, messages for a connection, messages for a second. A group is the registrable domain of the MX hosts, or host:port of a route; `*.example` and `*` fit several, and the closest counts for each limit. What is set over the API goes before it.',
  ),
  allowPrivateDestinations: setting(
    'Delivery',
    'WAYPOST_ALLOW_PRIVATE_DESTINATIONS',
    bool,
    'false',
    'Deliver to MX hosts with loopback or private addresses.',
  ),
  allowAddressLiterals: setting(
    'Delivery',
    'WAYPOST_ALLOW_ADDRESS_LITERALS',
    bool,
    'false',
    'Deliver to domains that are an IP address in brackets.',
  ),
  ipPreference: setting(
    'Delivery',
    'WAYPOST_IP_PREFERENCE',
    oneOf(['auto', 'ipv4-first', 'ipv6-first', 'ipv4-only', 'ipv6-only']),
    'auto',
    'Which addresses of a mail host are tried, in which order; auto: in turn, IPv6 first where this machine has it, else last.',
  ),
  dnsServers: optional('Delivery', 'WAYPOST_DNS_SERVERS', servers, 'Name servers to ask.', 'the system’s'),
  dnsTrustAd: setting(
    'Delivery',
    'WAYPOST_DNS_TRUST_AD',
    bool,
    'false',
    'Believe name servers off loopback that an answer is validated with DNSSEC (DANE needs it). Only where nobody can write on the way to them; `options trust-ad` in resolv.conf says the same.',
  ),
  retryScheduleMs: setting(
    'Delivery',
    'WAYPOST_RETRY_SCHEDULE',
    schedule,
    '30m',
    'Waits between attempts; the last one repeats.',
  ),
  delayNoticeAfterMs: setting(
    'Delivery',
    'WAYPOST_DELAY_NOTICE_AFTER',
    duration({ min: '1s', max: '30d' }),
    '4h',
    'When the sender is told of a delay.',
  ),
  expireAfterMs: setting(
    'Delivery',
    'WAYPOST_EXPIRE_AFTER',
    duration({ min: '1s', max: '90d' }),
    '5d',
    'When delivery is given up.',
  ),
  traceKeepMs: setting(
    'Delivery',
    'WAYPOST_TRACE_KEEP',
    duration({ min: '1h', max: '365d' }),
    '7d',
    'How long finished deliveries and their attempts are kept.',
  ),
  maxMessageBytes: setting(
    'Delivery',
    'WAYPOST_MAX_MESSAGE_BYTES',
    bytes({ min: 64 * 1024, max: 1024 * mib }),
    String(50 * mib),
    'The largest message that is accepted (SIZE).',
  ),

  sweepIntervalMs: setting(
    'Operation',
    'WAYPOST_SWEEP_INTERVAL',
    duration({ min: '100ms', max: '10m' }),
    '30s',
    'How often the store is searched for work whose wake-up was lost.',
  ),
  partitionLeaseMs: setting(
    'Operation',
    'WAYPOST_PARTITION_LEASE',
    duration({ min: '1s', max: '5m' }),
    '15s',
    'Lease of a queue partition and of local batches.',
  ),
  deliveryLeaseMs: setting(
    'Operation',
    'WAYPOST_DELIVERY_LEASE',
    duration({ min: '5s', max: '30m' }),
    '90s',
    'Lease of batches for outside.',
  ),
  gracePeriodMs: setting(
    'Operation',
    'WAYPOST_GRACE_PERIOD',
    duration({ min: '100ms', max: '30m' }),
    '30s',
    'Time to finish what is under way after SIGTERM.',
  ),
  logLevel: setting(
    'Operation',
    'WAYPOST_LOG_LEVEL',
    oneOf(logLevels),
    'info',
    'The least level that is logged (JSON, stderr).',
  ),

  apiUrl: setting(
    'Command line',
    'WAYPOST_API_URL',
    url(['http', 'https']),
    'http://127.0.0.1:8080',
    'The API that `waypost` talks to.',
  ),
  apiToken: secret(
    'Command line',
    'WAYPOST_API_TOKEN',
    text('a token'),
    'Token of `waypost`; else --user and --password.',
  ),
});

export type SettingField = keyof typeof configSchema.shape;

/** Every setting with its field, in the order of the documentation. */
export function allSettings(): readonly (Setting & { field: SettingField })[] {
  return z
    .keyof(configSchema)
    .options.map((field) => ({ field, about: registry.get(configSchema.shape[field]) }))
    .flatMap(({ field, about }) => (about === undefined ? [] : [{ ...about, field }]));
}

function setting<T>(
  group: SettingGroup,
  name: string,
  form: Form<T>,
  defaultText: string,
  meaning: string,
  secretly = false,
) {
  const about = {
    group,
    name,
    default: defaultText,
    defaultShown: undefined,
    meaning,
    expected: form.expected,
    secret: secretly,
  };
  return form.schema.prefault(defaultText).register(registry, about);
}

function optional<T>(
  group: SettingGroup,
  name: string,
  form: Form<T>,
  meaning: string,
  defaultShown?: string,
  secretly = false,
) {
  const about = { group, name, default: undefined, defaultShown, meaning, expected: form.expected, secret: secretly };
  return form.schema.optional().register(registry, about);
}

function secret<T>(group: SettingGroup, name: string, form: Form<T>, meaning: string, defaultShown?: string) {
  return optional(group, name, form, meaning, defaultShown, true);
}
