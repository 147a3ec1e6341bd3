import type { Registry } from 'prom-client';
import type { Bus } from '../../libs/bus/port.ts';
import type { Config } from '../../libs/config/load.ts';
import type { Dns } from '../../libs/dns/port.ts';
import type { Logger } from '../../libs/ops/logger.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import type { SecretBox } from '../../libs/runtime/secret-box.ts';
import type { Credentials, LoginLimits } from '../../libs/store/ports/credentials.ts';
import type { Directory, DirectoryAdmin } from '../../libs/store/ports/directory.ts';
import type { DkimKeys } from '../../libs/store/ports/dkim-keys.ts';
import type { Mailboxes } from '../../libs/store/ports/mailboxes.ts';
import type { HashingSlots } from './hashing-slots.ts';
import type { LoginLimiter } from './login-limiter.ts';
import type { AuthMetrics } from './metrics.ts';
import type { Passwords } from './passwords.ts';

/** What auth is given. */
export interface AuthDeps {
  config: Pick<
    Config,
    | 'domain'
    | 'hostname'
    | 'routes'
    | 'allowAddressLiterals'
    | 'sweepIntervalMs'
    | 'adminPassword'
    | 'sampleAccounts'
    | 'secretsKeys'
  >;
  clock: Clock;
  log: Logger;
  metrics: Registry;
  bus: Bus;
  directory: Directory;
  directoryAdmin: DirectoryAdmin;
  credentials: Credentials;
  loginLimits: LoginLimits;
  dkimKeys: DkimKeys;
  /** Looks for the records of DKIM keys; without it keys are made active by hand. */
  dns?: Pick<Dns, 'txt'>;
  mailboxes: Pick<Mailboxes, 'usage' | 'setQuota'>;
}

/** What its operations work with. */
export interface AuthContext extends Omit<AuthDeps, 'metrics' | 'loginLimits'> {
  metrics: AuthMetrics;
  limiter: LoginLimiter;
  slots: HashingSlots;
  /** For private keys. */
  secrets: SecretBox;
  passwords: Passwords;
  /** Brings quotas that have changed to the mailboxes; never throws. */
  copyQuotas(): Promise<void>;
}
