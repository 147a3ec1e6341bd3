import { bool, hostName, password } from '../forms.ts';
import { optional, secret, setting } from './setting.ts';

/** Who this server is. */
export const identitySettings = {
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
};
