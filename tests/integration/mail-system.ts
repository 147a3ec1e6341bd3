import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Registry } from 'prom-client';
import { acceptMessage } from '../../libs/accept/accept.ts';
import { PartitionWakes } from '../../libs/accept/partition-wakes.ts';
import { Ranks } from '../../libs/accept/ranks.ts';
import { buildTargets } from '../../libs/accept/targets.ts';
import { openFileBlobs } from '../../libs/blobs/file.ts';
import { inlineLimitBytes } from '../../libs/blobs/port.ts';
import type { Bus } from '../../libs/bus/port.ts';
import type { Batch } from '../../libs/bus/requests.ts';
import { createMemoryBus } from '../../libs/bus/memory/bus.ts';
import type { Config } from '../../libs/config/load.ts';
import type { Notify } from '../../libs/delivery/row.ts';
import { createHttpBytes } from '../../libs/http/http-bytes.ts';
import type { Authenticate } from '../../libs/http/mount-routes.ts';
import { ParsePool } from '../../libs/mail/parse-pool/parse-pool.ts';
import type { LogLevel } from '../../libs/ops/log-levels.ts';
import { createLogger } from '../../libs/ops/logger.ts';
import { type Clock, systemClock } from '../../libs/runtime/clock.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { openMongoStore } from '../../libs/store/mongo/open.ts';
import { openSqliteStore } from '../../libs/store/sqlite/open.ts';
import { createMailbox } from '../../services/mailbox/main.ts';
import { createQueue } from '../../services/queue/main.ts';

/** The wall clock, with the time that a test has skipped. Leases and pauses go by the real one. */
export interface SkippingClock extends Clock {
  skip(ms: number): void;
}

function skippingClock(): SkippingClock {
  let skippedMs = 0;
  return {
    ...systemClock,
    nowMs: () => Date.now() + skippedMs,
    skip(ms) {
      skippedMs += ms;
    },
  };
}

const usualConfig = {
  domain: 'example.test',
  hostname: 'mail.example.test',
  trustedProxies: [],
  routes: [] as Config['routes'],
  limits: [] as Config['limits'],
  ipPreference: 'auto' as const,
  allowPrivateDestinations: false,
  allowAddressLiterals: false,
  dnsServers: [] as Config['dnsServers'],
  dnsTrustAd: false,
  retryScheduleMs: [30 * 60_000],
  delayNoticeAfterMs: 4 * 60 * 60_000,
  expireAfterMs: 5 * 24 * 60 * 60_000,
  traceKeepMs: 7 * 24 * 60 * 60_000,
  maxMessageBytes: 50 * 1024 * 1024,
  // Short, so that tests see a sweep and the end of a lease.
  sweepIntervalMs: 200,
  partitionLeaseMs: 600,
  deliveryLeaseMs: 600,
};

const administrator: Authenticate = () => ({
  accountId: newId(),
  address: 'admin@example.test',
  admin: true,
  scopes: [],
  credentialVersion: 1,
});

export interface AcceptOptions {
  sender?: string;
  raw?: string;
  messageId?: string;
  notify?: Notify;
  /** No attempt before so long from now. */
  delayMs?: number;
  /** Told of the accept in place of the system's. */
  bus?: Bus;
}

export interface MailSystemOptions {
  /** Of a cluster; default SQLite in the system's folder. */
  mongo?: { url: string; database: string; inactiveTransactionMs?: number };
  /** In place of the usual ones, which are short. */
  config?: Partial<typeof usualConfig>;
  /** True: another system has made the domain and the administrator in this store. */
  joins?: boolean;
  /** In place of a bus of its own. */
  wrapBus?: (bus: Bus) => Bus;
}

/** A store, a bus and what the queue and the mailbox need, in a folder of its own; the services are made by the test. */
export async function openMailSystem(t: Pick<TestContext, 'after'>, options: MailSystemOptions = {}) {
  const dataDir = await mkdtemp(join(tmpdir(), 'waypost-test-'));
  const level = (process.env['WAYPOST_TEST_LOG_LEVEL'] ?? 'silent') as LogLevel;
  const log = createLogger({ level, service: 'test' });
  const config = { ...usualConfig, ...options.config };
  const clock = skippingClock();
  const metrics = new Registry();
  const store =
    options.mongo === undefined
      ? await openSqliteStore({ dataDir, log, metrics })
      : await openMongoStore({ ...options.mongo, log, metrics });
  const ownBus: Bus = createMemoryBus({ source: '/waypost/test/1', clock, log, metrics });
  const bus = options.wrapBus?.(ownBus) ?? ownBus;
  const blobs = await openFileBlobs(join(dataDir, 'blobs'));
  const parsePool = new ParsePool();
  const wakes = new PartitionWakes(bus, log);
  const ranks = new Ranks();
  const stops: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const stop of stops.toReversed()) await stop();
    await ownBus.close();
    await parsePool.close();
    await store.close();
    await rm(dataDir, { recursive: true });
  });
  bus.respond('account.purged', async ({ id }) => {
    await store.directoryAdmin.accountPurged(id, clock.nowMs());
    return { ok: true };
  });
  if (options.joins !== true) {
    await store.directoryAdmin.addDomain({ key: config.domain, name: config.domain, createdAt: 0 });
    // The last administrator can't be removed; this one is never in a test's way.
    await addAccount('admin', true);
  }

  async function addAccount(name: string, admin = false): Promise<string> {
    const address = `${name}@${config.domain}`;
    const id = newId();
    const about = { displayName: null, enabled: true, admin, credentialVersion: 1, createdAt: clock.nowMs() };
    const account = { id, key: address, address, ...about, quota: { bytes: null, messages: null } };
    await store.directoryAdmin.addAccount(account, 'no password');
    await store.mailboxes.setQuota(id, account.quota);
    return id;
  }

  async function putBlob(bytes: Buffer): Promise<string> {
    const chunks = async function* () {
      yield bytes;
    };
    return (await blobs.put(chunks(), AbortSignal.timeout(10_000))).ref;
  }

  async function startService(service: { start(): Promise<void>; stop(graceMs: number): Promise<void> }) {
    await service.start();
    let stopped: Promise<void> | undefined;
    const stop = (): Promise<void> => (stopped ??= service.stop(5_000));
    stops.push(stop);
    return { stop };
  }

  return {
    ...store,
    config,
    clock,
    log,
    bus,
    blobs,
    parsePool,
    wakes,
    addAccount,
    startService,
    // A registry for each service: a test may run two of a kind.
    queueDeps: () => ({
      ...store,
      config,
      clock,
      log,
      bus,
      blobs,
      authenticate: administrator,
      verifier: { isGood: async () => true },
      bytes: createHttpBytes(new Registry()),
      metrics: new Registry(),
    }),
    startQueue(): Promise<{ stop: () => Promise<void> }> {
      return startService(createQueue(this.queueDeps()));
    },
    startMailbox(): Promise<{ stop: () => Promise<void> }> {
      return startService(createMailbox({ ...this.queueDeps(), parsePool }));
    },
    /** Accepts a message for accounts; answers its id. */
    async accept(accountIds: readonly string[], options: AcceptOptions = {}): Promise<string> {
      const {
        sender = 'sender@far.test',
        raw = 'Subject: hello\r\n\r\nhello\r\n',
        messageId = newId(),
        notify,
        delayMs = 0,
      } = options;
      const bytes = Buffer.from(raw);
      const nowMs = clock.nowMs();
      const recipients = accountIds.map((accountId) => ({
        recipient: `${accountId}@${config.domain}`,
        resolution: { kind: 'local' as const, targets: [{ accountId, address: '', enabled: true, overQuota: false }] },
        ...(notify !== undefined && { notify }),
      }));
      const told = options.bus ?? bus;
      const dueAt = nowMs + delayMs;
      const about = { dueAt, sender, sizeBytes: bytes.length, priority: 1, nowMs, scheduleOf: () => config };
      await acceptMessage(
        { spool: store.spool, bus: told, wakes: options.bus === undefined ? wakes : new PartitionWakes(told, log) },
        {
          messageId,
          acceptedAt: nowMs,
          envelope: { reversePath: sender, smtputf8: false, body: '7BIT' },
          source: { by: 'mx' },
          trace: 'Received: by mail.example.test; Mon, 01 Jan 2029 00:00:00 +0000\r\n',
          body:
            bytes.length <= inlineLimitBytes ? { kind: 'inline', bytes } : { kind: 'blob', ref: await putBlob(bytes) },
          sizeBytes: bytes.length,
          sha256: createHash('sha256').update(bytes).digest('hex'),
          targets: buildTargets({ ...about, recipients }, ranks),
        },
      );
      return messageId;
    },
    /** Pulls a batch as a worker does, from the owner that says it has rows. */
    async pull(): Promise<Batch> {
      const ready = Promise.withResolvers<string>();
      const subscription = bus.onWake('queue.ready', ({ owner }) => ready.resolve(owner));
      const to = await ready.promise;
      await subscription.close();
      const request = { kind: 'local', worker: 'test', capacity: 100, waitMs: 5_000 } as const;
      return bus.request('queue.pull', request, { to, timeoutMs: 10_000 });
    },
    async inbox(accountId: string) {
      const { messages } = await store.mailboxes.list(accountId, { mailbox: 'inbox' }, { limit: 500 });
      return messages;
    },
    async states(messageId: string): Promise<string[]> {
      return (await store.deliveries.ofMessage(messageId)).map(({ state }) => state);
    },
  };
}

export type MailSystem = Awaited<ReturnType<typeof openMailSystem>>;
