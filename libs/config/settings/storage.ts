import { bool, text, url } from '../forms.ts';
import { filePath, optional, secret, setting } from './setting.ts';

/** Where mail and events are kept. */
export const storageSettings = {
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
};
