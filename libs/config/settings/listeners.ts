import { listen } from '../forms.ts';
import { setting } from './setting.ts';

/** Where it listens. */
export const listenersSettings = {
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
};
