import { Counter, Gauge, type Registry } from 'prom-client';

export interface AuthMetrics {
  logins: Counter<'via'>;
  loginFailures: Counter<'via' | 'reason'>;
  passwordHashes: Counter<'operation'>;
  /** Counted outside: see `hashing`. */
  quotaCopyFailures: Counter;
}

/** `hashing` is asked at each scrape. */
export function authMetrics(registry: Registry, hashing: () => { waiting: number }): AuthMetrics {
  const registers = [registry];
  new Gauge({
    name: 'waypost_auth_hashing_waiting',
    help: 'Logins and password changes that wait for their turn to hash.',
    registers,
    collect() {
      this.set(hashing().waiting);
    },
  });
  return {
    logins: new Counter({
      name: 'waypost_logins_total',
      help: 'Credentials found right; callers keep them for a while, so this is less than the number of logins.',
      labelNames: ['via'],
      registers,
    }),
    loginFailures: new Counter({
      name: 'waypost_login_failures_total',
      help: 'Logins refused: invalid (unknown user, wrong password, disabled account, bad token) or limited (too many failures before).',
      labelNames: ['via', 'reason'],
      registers,
    }),
    passwordHashes: new Counter({
      name: 'waypost_auth_password_hashes_total',
      help: 'argon2id computations: of a password that is set, or verified at a login.',
      labelNames: ['operation'],
      registers,
    }),
    quotaCopyFailures: new Counter({
      name: 'waypost_auth_quota_copy_failures_total',
      help: 'Quotas that could not be copied to the mailboxes yet; they are tried again at each sweep.',
      registers,
    }),
  };
}
