import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allSettings } from './settings.ts';

/** What those who run Waypost build on: names and defaults don't change. `secret` may also come as `…_FILE`. */
const promised = `
WAYPOST_DOMAIN=example.test
WAYPOST_HOSTNAME
WAYPOST_ADMIN_PASSWORD secret
WAYPOST_SAMPLE_ACCOUNTS
WAYPOST_HTTP_LISTEN=127.0.0.1:8080
WAYPOST_MX_LISTEN=127.0.0.1:2525
WAYPOST_SUBMISSION_LISTEN=127.0.0.1:2587
WAYPOST_SUBMISSIONS_LISTEN=127.0.0.1:2465
WAYPOST_LMTP_LISTEN=off
WAYPOST_OPS_LISTEN=127.0.0.1:9090
WAYPOST_DATA_DIR=./data
WAYPOST_MONGODB_URL secret
WAYPOST_NATS_URL secret
WAYPOST_MONGODB_CA_FILE
WAYPOST_NATS_CA_FILE
WAYPOST_NATS_CREDS_FILE
WAYPOST_NATS_TOKEN secret
WAYPOST_BLOBS_URL
WAYPOST_BLOBS_ACCESS_KEY secret
WAYPOST_BLOBS_SECRET_KEY secret
WAYPOST_CREATE_STREAMS=false
WAYPOST_PRODUCTION=false
WAYPOST_ALLOW_PLAINTEXT_BACKENDS=false
WAYPOST_ALLOW_PLAINTEXT_LOGIN=false
WAYPOST_TLS_CERT_FILE
WAYPOST_TLS_KEY_FILE
WAYPOST_TRUSTED_NETWORKS=
WAYPOST_TRUSTED_PROXIES=
WAYPOST_PROXY_PROTOCOL_NETWORKS=
WAYPOST_ROUTES= secret
WAYPOST_ALLOW_PRIVATE_DESTINATIONS=false
WAYPOST_DNS_SERVERS
WAYPOST_RETRY_SCHEDULE=30m
WAYPOST_DELAY_NOTICE_AFTER=4h
WAYPOST_EXPIRE_AFTER=5d
WAYPOST_TRACE_KEEP=7d
WAYPOST_MAX_MESSAGE_BYTES=52428800
WAYPOST_SWEEP_INTERVAL=30s
WAYPOST_PARTITION_LEASE=15s
WAYPOST_DELIVERY_LEASE=90s
WAYPOST_GRACE_PERIOD=30s
WAYPOST_LOG_LEVEL=info
WAYPOST_API_URL=http://127.0.0.1:8080
WAYPOST_API_TOKEN secret
`;

test('every promised name of the environment is there with its default, and a secret is a secret', () => {
  const settings = allSettings().map(
    ({ name, default: text, secret }) => `${name}${text === undefined ? '' : `=${text}`}${secret ? ' secret' : ''}`,
  );
  for (const line of promised.trim().split('\n')) assert.ok(settings.includes(line), line);
});
