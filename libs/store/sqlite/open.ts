import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { makeFolder } from '../../runtime/folders.ts';
import type { GroupsOptions } from '../group-rules.ts';
import type { Credentials, LoginLimits } from '../ports/credentials.ts';
import type { Deliveries } from '../ports/deliveries.ts';
import type { Directory, DirectoryAdmin } from '../ports/directory.ts';
import type { DkimKeys } from '../ports/dkim-keys.ts';
import type { Groups } from '../ports/groups.ts';
import type { Mailboxes } from '../ports/mailboxes.ts';
import type { Partitions } from '../ports/partitions.ts';
import type { Spool } from '../ports/spool.ts';
import { sqliteCredentials } from './credentials.ts';
import { sqliteDeliveries } from './deliveries.ts';
import { sqliteDirectory, sqliteDirectoryAdmin } from './directory.ts';
import { sqliteDkimKeys } from './dkim-keys.ts';
import { Engine, type EngineOptions } from './engine/engine.ts';
import { lockDataDirectory } from './engine/lock.ts';
import { sqliteGroups } from './groups.ts';
import { sqliteLoginLimits } from './login-limits.ts';
import { sqliteMailboxes } from './mailboxes.ts';
import { type StoreLoad, storeMetrics } from './metrics.ts';
import { sqlitePartitions } from './partitions.ts';
import { sqliteSpool } from './spool.ts';

/** Everything that an embedded Waypost keeps, in `<dataDir>/waypost.db`. */
export interface SqliteStore {
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
  /** False from an unknown outcome until a write has committed again. */
  healthy(): boolean;
  /** True when a write commits within `timeoutMs`. */
  probe(timeoutMs: number): Promise<boolean>;
  /** Ends what waits, then gives the data directory back. */
  close(): Promise<void>;
}

export interface SqliteStoreOptions {
  /** Made (0700) when it isn't there. */
  dataDir: string;
  log?: Logger;
  metrics?: Registry;
  /** Largest size of the database in pages of 4 KiB: past it StoreFull. */
  maxPageCount?: number;
  /** See EngineOptions. */
  startWorker?: EngineOptions['startWorker'];
  groups?: GroupsOptions;
}

const databaseFile = 'waypost.db';

/** A file that is there isn't opened: closing it would take the locks off it that this process has. */
async function makeFile(path: string): Promise<void> {
  await writeFile(path, '', { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  });
}

/**
 * Opens the store, making or migrating it when needed. Rejects with DataDirectoryInUse when another process has it open, and with SchemaTooNew for a
 * database of a later release.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<SqliteStore> {
  const { dataDir } = options;
  await makeFolder(dataDir);
  // For their owner only, whoever may enter the directory; SQLite gives its other files the mode of the database.
  for (const name of ['waypost.lock', databaseFile]) await makeFile(join(dataDir, name));
  const lock = lockDataDirectory(join(dataDir, 'waypost.lock'));
  try {
    const engine = await openEngine(options);
    return {
      spool: sqliteSpool(engine),
      deliveries: sqliteDeliveries(engine),
      partitions: sqlitePartitions(engine),
      mailboxes: sqliteMailboxes(engine),
      directory: sqliteDirectory(engine),
      directoryAdmin: sqliteDirectoryAdmin(engine),
      credentials: sqliteCredentials(engine),
      loginLimits: sqliteLoginLimits(engine),
      dkimKeys: sqliteDkimKeys(engine),
      groups: sqliteGroups(engine, options.groups),
      healthy: () => engine.healthy(),
      probe: (timeoutMs) => engine.probe(timeoutMs),
      close: () => engine.close().finally(() => lock.release()),
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

async function openEngine({ dataDir, log, metrics, maxPageCount, startWorker }: SqliteStoreOptions): Promise<Engine> {
  let load = (): StoreLoad => ({ writes: 0, bytes: 0, reads: 0 });
  const engineOptions: EngineOptions = {
    file: join(dataDir, databaseFile),
    onHealth: (healthy) => {
      if (healthy) log?.info('the store commits again');
      else log?.error('the outcome of a commit is unknown: nothing more is taken until a write has committed');
    },
  };
  if (metrics !== undefined) engineOptions.onCommit = storeMetrics(metrics, () => load());
  if (maxPageCount !== undefined) engineOptions.maxPageCount = maxPageCount;
  if (startWorker !== undefined) engineOptions.startWorker = startWorker;
  const engine = await Engine.open(engineOptions);
  load = () => engine.load();
  try {
    const voided = await voidLeases(engine);
    await engine.write('groups.void', undefined);
    if (voided > 0) log?.info({ rows: voided }, 'ended the leases of the last run');
    return engine;
  } catch (error) {
    await engine.close();
    throw error;
  }
}

/** The lock on the data directory proves that nobody else holds a lease. */
async function voidLeases(engine: Engine): Promise<number> {
  let voided = 0;
  while (true) {
    const ended = await engine.write('deliveries.voidLeases', { now: Date.now(), limit: voidStep });
    voided += ended;
    if (ended < voidStep) return voided;
  }
}

const voidStep = 1_000;
