import type { TestContext } from 'node:test';
import { Registry } from 'prom-client';
import type { Batch, Way } from '../../libs/bus/requests.ts';
import { newId } from '../../libs/runtime/ids.ts';
import type { Route } from '../../libs/config/forms.ts';
import type { AttemptRow } from '../../libs/store/ports/deliveries.ts';
import type { Target } from '../../libs/delivery/row.ts';
import { createDelivery, type DeliveryDeps } from '../../services/delivery/main.ts';
import { makeMessage } from '../contract/spool-messages.ts';
import { QueueOwner } from '../contract/deliveries-owner.ts';
import type { Sink } from '../support/smtp-sink/sink.ts';
import { openMailSystem, type MailSystemOptions } from './mail-system.ts';

export type Host = Way['hosts'][number];

/** The sink as a host of a way; plain text unless told. */
export function hostOf(sink: Pick<Sink, 'host' | 'port'>, change: Partial<Host> = {}): Host {
  return {
    name: 'mx.sink.test',
    port: sink.port,
    addresses: [sink.host],
    group: 'sink.test',
    limits: { connections: 20, perConnection: 100, perSecond: 0 },
    tls: { mode: 'opportunistic', verify: { kind: 'none' } },
    ...change,
  };
}

/** A port that refuses. */
export const deadHost = (change: Partial<Host> = {}): Host =>
  hostOf({ host: '127.0.0.1', port: 1 }, { name: 'dead.test', group: 'dead.test', ...change });

export interface RemoteSystemOptions extends MailSystemOptions {
  leaseMs?: number;
  /** False: the test starts a queue, and hands out nothing itself. */
  owns?: boolean;
  routes?: readonly Route[];
  /** In place of the store's, for the service. */
  wrap?: (deps: DeliveryDeps) => DeliveryDeps;
}

/** A store, a bus, and an owner of the queue that hands out what is due for outside by the ways that the test names; the service is started by the test. */
export async function openRemoteSystem(t: Pick<TestContext, 'after'>, options: RemoteSystemOptions = {}) {
  const mail = await openMailSystem(t, options);
  const { bus, deliveries, clock } = mail;
  const owner = await QueueOwner.of(mail as never, 'owner-1', options.owns === false ? { partitions: [] } : {});
  const ways = new Map<string, Omit<Way, 'destination'>>();
  const leaseMs = options.leaseMs ?? 30_000;
  const handed: Batch[] = [];

  const pull = async (capacity: number): Promise<Batch> => {
    const token = newId();
    const claim = { owner: owner.name, token };
    const due = await deliveries.due({
      partitions: Array.from({ length: 256 }, (_, n) => n),
      now: clock.nowMs(),
      perDestination: capacity,
      limit: 1_000,
      destinations: 'remote',
    });
    const destination = due.find((row) => ways.has(row.destination))?.destination ?? '';
    const way = ways.get(destination);
    const ids = due.filter((row) => row.destination === destination).slice(0, capacity);
    if (way === undefined) return { claim, leaseMs, rows: [] };
    const rows = await owner.claim(
      ids.map(({ id }) => id),
      { token, leaseMs, now: clock.nowMs() },
    );
    const order = new Map(ids.map(({ id }, index) => [id, index]));
    const batch = {
      claim,
      leaseMs,
      way: { ...way, destination },
      rows: rows
        .map((row) => ({ ...row, epoch: row.claim?.epoch ?? 0 }))
        .toSorted((a, b) => (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0)),
    };
    if (rows.length > 0) handed.push(batch as unknown as Batch);
    return batch as unknown as Batch;
  };
  // One after the other, as an owner does.
  let last: Promise<unknown> = Promise.resolve();
  bus.respond(
    'queue.pull',
    async ({ kind, capacity }) => {
      if (kind !== 'remote') return { claim: { owner: owner.name, token: newId() }, leaseMs, rows: [] };
      const next = last.then(() => pull(capacity));
      last = next.catch(() => undefined);
      return next;
    },
    { as: owner.name },
  );

  const ready = (): void => bus.wake('queue.ready', { owner: owner.name, kind: 'remote' });
  return {
    ...mail,
    owner,
    handed,
    ready,
    /** How the destination's mail goes from now on; no hosts: it isn't handed out. */
    way(destination: string, hosts: readonly Host[], change: Partial<Way> = {}): void {
      if (hosts.length === 0) ways.delete(destination);
      else ways.set(destination, { protocol: 'smtp', hosts: [...hosts], ...change });
    },
    /** Accepts a message for recipients elsewhere; answers its id. */
    async send(
      recipients: readonly (string | Partial<Target>)[],
      change: Parameters<typeof makeMessage>[0] = {},
    ): Promise<string> {
      const nowMs = clock.nowMs();
      const to = recipients.map((each): Partial<Target> => {
        const target = typeof each === 'string' ? { recipient: each } : each;
        const { recipient = '' } = target;
        const destination = recipient.slice(recipient.lastIndexOf('@') + 1);
        return { kind: 'remote', destination, dueAt: nowMs, rank: nowMs, ...target };
      });
      const message = makeMessage({ acceptedAt: nowMs, to, ...change });
      await mail.spool.accept(message);
      await mail.spool.fanOut(message.messageId);
      return message.messageId;
    },
    async startDelivery(settings: DeliveryDeps['settings'] = {}) {
      const metrics = new Registry();
      const deps: DeliveryDeps = {
        ...mail,
        config: { ...mail.config, routes: options.routes ?? [], secretsKeys: [], deliveryLeaseMs: leaseMs },
        metrics,
        random: () => 0,
        settings: { batches: 4, idleMs: 300, ...settings },
      };
      const service = createDelivery(options.wrap?.(deps) ?? deps);
      let stopped: Promise<void> | undefined;
      const stop = (graceMs = 5_000): Promise<void> => (stopped ??= service.stop(graceMs));
      await mail.startService({ start: () => service.start(), stop: () => stop(100) });
      ready();
      return { service, metrics, stop };
    },
    async attempts(id: string): Promise<readonly AttemptRow[]> {
      return (await deliveries.get(id))?.attempts ?? [];
    },
    async countOf(metrics: Registry, name: string, labels: Record<string, string> = {}): Promise<number> {
      const metric = (await metrics.getMetricsAsJSON()).find((each) => each.name === name);
      return (metric?.values ?? [])
        .filter((value) => Object.entries(labels).every(([label, wanted]) => value.labels[label] === wanted))
        .reduce((sum, { value }) => sum + value, 0);
    },
  };
}

export type RemoteSystem = Awaited<ReturnType<typeof openRemoteSystem>>;
