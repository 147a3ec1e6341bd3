import { type ApiClient, createAccount } from './api-client.ts';
import { type ClusterOptions, type ClusterSystem, startCluster } from './cluster.ts';
import { Ledger } from './ledger.ts';
import { type Load, seeded, startLoad } from './load.ts';
import { until } from './until.ts';

export interface LoadedClusterOptions extends ClusterOptions {
  seed: number;
}

/** A cluster that mail comes to all the time, and what it owes for it. */
export interface LoadedCluster extends ClusterSystem {
  random: () => number;
  ledger: Ledger;
  load: Load;
  readers: ReadonlyMap<string, ApiClient & { address: string; password: string }>;
  /** Resolves when so many more messages have been acknowledged. */
  accepts(more: number, limitMs?: number): Promise<void>;
  /** Messages in the mailbox of the first reader. */
  delivered(): Promise<number>;
  /** Ends the load, waits until everything that is owed is delivered, and compares: [] when all is right. */
  faults(): Promise<string[]>;
  /** What the mail that was acknowledged between two times (ms) has seen; after `faults`. */
  delays(from: number, to: number): Delays;
}

export interface Delays {
  messages: number;
  /** The longest time in which no message was acknowledged. */
  acceptPauseMs: number;
  /** The longest time from an acknowledgement to the mailbox. */
  deliveryMs: number;
}

export async function startLoadedCluster({ seed, ...options }: LoadedClusterOptions): Promise<LoadedCluster> {
  const cluster = await startCluster(options);
  try {
    return await putUnderLoad(cluster, seed);
  } catch (error) {
    await cluster.dispose();
    throw error;
  }
}

async function putUnderLoad(cluster: ClusterSystem, seed: number): Promise<LoadedCluster> {
  const readers = new Map<string, Awaited<ReturnType<typeof createAccount>>>();
  for (const name of ['ann', 'ben', 'cleo', 'dora']) {
    const address = `${name}@example.test`;
    readers.set(address, await createAccount(cluster.api, cluster.admin, address));
  }
  const random = seeded(seed);
  const ledger = new Ledger();
  const ports = cluster.services.ingress.map((copy) => copy.ports.mx);
  const load = startLoad({ ledger, ports, addresses: [...readers.keys()], random, clients: 6, paceMs: 60 });
  const deliveries: { acknowledgedAt: number; deliveredAt: number }[] = [];
  const [first] = readers.values();
  return {
    ...cluster,
    random,
    ledger,
    load,
    readers,
    async dispose() {
      const stopped = load.stop();
      await cluster.dispose();
      await stopped;
    },
    async accepts(more, limitMs = 60_000) {
      const enough = ledger.acknowledgedCount + more;
      await until(`${more} more messages are accepted`, limitMs, () => ledger.acknowledgedCount >= enough);
    },
    delivered: () => inboxCount(first!),
    async faults() {
      await load.stop();
      for (const [address, reader] of readers) {
        const owed = ledger.owed(address).length;
        await until(`all mail of ${address} is there`, 90_000, async () => (await inboxCount(reader)) >= owed);
      }
      await until('nothing waits in the queue', 60_000, async () => waitingIn(await cluster.metrics()) === 0);
      const faults = await Promise.all(
        [...readers].map(([address, reader]) =>
          ledger.audit(address, reader, (acknowledgedAt, deliveredAt) =>
            deliveries.push({ acknowledgedAt, deliveredAt }),
          ),
        ),
      );
      return faults.flat();
    },
    delays(from, to) {
      const times = ledger.acknowledgedTimes().filter((at) => at >= from && at <= to);
      const pauses = [from, ...times].map((at, index) => (times[index] ?? to) - at);
      const late = deliveries
        .filter(({ acknowledgedAt: at }) => at >= from && at <= to)
        .map(({ acknowledgedAt, deliveredAt }) => deliveredAt - acknowledgedAt);
      return { messages: times.length, acceptPauseMs: Math.max(...pauses), deliveryMs: Math.max(0, ...late) };
    },
  };
}

/** @throws when the API doesn't answer 200 */
async function inboxCount(reader: ApiClient): Promise<number> {
  const { items } = await reader.get('/api/v1/accounts/me/mailboxes');
  return items.find((mailbox: { role: string }) => mailbox.role === 'inbox').totalEmails;
}

/** Queued, deferred and leased deliveries of all owners. */
function waitingIn(metrics: string): number {
  const waiting = metrics.matchAll(/^waypost_queue_deliveries\{state="(?:queued|leased|deferred)"\} (\d+)$/gm);
  return [...waiting].reduce((sum, [, count]) => sum + Number(count), 0);
}
