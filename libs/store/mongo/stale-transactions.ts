import type { Document, MongoClient, UUID } from 'mongodb';
import type { Logger } from 'pino';
import { type Clock, systemClock } from '../../runtime/clock.ts';

/**
 * Ends transactions that their process has left open: one that was frozen or killed between two statements keeps its write locks for as long as the server
 * allows (60 s by default), and so keeps others from its partitions and accounts. Every user of MongoDB may list and end its own sessions without any right,
 * so the processes of one service look after each other. Whoever's transaction was ended begins it anew when it goes on, so one ended too soon costs a repetition.
 */
export class StaleTransactions {
  readonly #options: StaleTransactionsOptions;
  readonly #clock: Clock;
  readonly #closing = new AbortController();
  #seen = new Map<string, Seen>();
  #failing = false;
  #loop: Promise<void> | undefined;

  constructor(options: StaleTransactionsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#closing.abort();
    await this.#loop;
  }

  /** One look; answers how many were ended. */
  async look(): Promise<number> {
    const { client, inactiveMs, log, onEnded } = this.#options;
    const nowMs = this.#clock.monotonicMs();
    const seen = new Map<string, Seen>();
    const stale: IdleTransaction[] = [];
    for (const idle of await idleTransactions(client)) {
      const { key, activeMicros } = idle;
      const before = this.#seen.get(key);
      // It has done nothing in between only when the server has counted no more work of it.
      const sinceMs = before?.activeMicros === activeMicros ? before.sinceMs : nowMs;
      if (nowMs - sinceMs >= inactiveMs) stale.push(idle);
      else seen.set(key, { activeMicros, sinceMs });
    }
    this.#seen = seen;
    if (stale.length === 0) return 0;
    await client.db('admin').command({ killSessions: stale.map(({ sessionId: id }) => ({ id })) });
    log?.warn(
      { transactions: stale.map(({ client: from, startedAt }) => ({ client: from, startedAt })) },
      'ended transactions that their processes had left open: frozen, killed or cut off',
    );
    onEnded?.(stale.length);
    return stale.length;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      // Not all processes at once.
      await this.#clock.sleep(this.#options.inactiveMs * (looksApart + Math.random() * jitter), signal);
      if (!signal.aborted) await this.#lookAgain();
    }
  }

  async #lookAgain(): Promise<void> {
    const { log } = this.#options;
    try {
      await this.look();
      if (this.#failing) log?.info('transactions that were left open are looked for again');
      this.#failing = false;
    } catch (err) {
      // Without it the server ends them itself, later; what is wrong with the store shows elsewhere.
      if (!this.#failing && !this.#closing.signal.aborted)
        log?.warn({ err }, 'can’t look for transactions that were left open (mongos wants the right inprog for it)');
      this.#failing = true;
    }
  }
}

/** Shares of `inactiveMs`: one that is left open ends after 1 to 1.8 times of it. */
const looksApart = 0.25;
const jitter = 0.15;

export interface StaleTransactionsOptions {
  client: MongoClient;
  /** How long a transaction may do nothing. The driver's pauses between statements are milliseconds. */
  inactiveMs: number;
  clock?: Clock;
  log?: Logger;
  onEnded?: (many: number) => void;
}

interface Seen {
  activeMicros: number;
  /** Monotonic. */
  sinceMs: number;
}

interface IdleTransaction {
  /** Of the session and its transaction. */
  key: string;
  sessionId: UUID;
  activeMicros: number;
  client: string;
  startedAt: string;
}

/** Those of our own user; without access control, where all are one user, those of clients that call themselves as we do. */
async function idleTransactions(client: MongoClient): Promise<IdleTransaction[]> {
  const { appName } = client.options;
  const found = await client
    .db('admin')
    .aggregate<Document>(
      [
        { $currentOp: { allUsers: false, idleSessions: true, idleConnections: false } },
        { $match: { type: 'idleSession', transaction: { $exists: true }, ...(appName !== undefined && { appName }) } },
      ],
      // The stage takes no other.
      { readConcern: { level: 'local' } },
    )
    .toArray();
  return found.map(({ lsid, transaction, client: from }) => ({
    key: `${String(lsid.id)}/${String(transaction.parameters?.txnNumber)}`,
    sessionId: lsid.id,
    activeMicros: Number(transaction.timeActiveMicros),
    client: String(from),
    startedAt: String(transaction.startWallClockTime),
  }));
}
