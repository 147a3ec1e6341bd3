import type { Registry } from 'prom-client';
import type { Blobs } from '../../libs/blobs/port.ts';
import type { Bus } from '../../libs/bus/port.ts';
import type { Config } from '../../libs/config/load.ts';
import type { Logger } from '../../libs/ops/logger.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import type { Credentials, LoginLimits } from '../../libs/store/ports/credentials.ts';
import type { Deliveries } from '../../libs/store/ports/deliveries.ts';
import type { Directory, DirectoryAdmin } from '../../libs/store/ports/directory.ts';
import type { DkimKeys } from '../../libs/store/ports/dkim-keys.ts';
import type { Groups } from '../../libs/store/ports/groups.ts';
import type { Mailboxes } from '../../libs/store/ports/mailboxes.ts';
import type { Partitions } from '../../libs/store/ports/partitions.ts';
import type { Spool } from '../../libs/store/ports/spool.ts';
import type { ServiceName } from '../service-names.ts';
import type { Closing } from './closing.ts';

/** The ports that services stand on, whichever adapters are behind them. */
export interface Backends {
  store: Store;
  blobs: Blobs;
  bus: Bus;
}

export interface Store {
  spool: Spool;
  deliveries: Deliveries;
  partitions: Partitions;
  mailboxes: Mailboxes;
  directory: Directory;
  directoryAdmin: DirectoryAdmin;
  credentials: Credentials;
  loginLimits: LoginLimits;
  dkimKeys: DkimKeys;
  groups: Groups;
}

/** Opens them for these services; what is to be closed goes into `opened`. */
export type OpenBackends = (request: OpenRequest) => Promise<Backends>;

export interface OpenRequest {
  config: Config;
  clock: Clock;
  log: Logger;
  metrics: Registry;
  /** Of this process: names it on the bus. */
  services: readonly ServiceName[];
  opened: Closing[];
  /** Why the start takes long, for people who look at `/readyz`. */
  waitsFor?(reason: string): void;
}
