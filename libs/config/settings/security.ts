import { bool, networks, secretKeys, text } from '../forms.ts';
import { filePath, optional, secret, setting } from './setting.ts';

/** Who is trusted, and with what. */
export const securitySettings = {
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
};
