import type { Blobs } from '../../../libs/blobs/port.ts';
import { ParsePoolClosedError, ParsePoolFullError } from '../../../libs/mail/parse-pool/job-queue.ts';
import type { Listing } from '../../../libs/mail/parse-pool/listing.ts';
import type { ParsePool } from '../../../libs/mail/parse-pool/parse-pool.ts';
import type { Logger } from '../../../libs/ops/logger.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import { Periodic } from '../../../libs/runtime/periodic.ts';
import { isStoreTrouble, NotFound } from '../../../libs/store/errors.ts';
import type { Mailboxes, SearchEntry } from '../../../libs/store/ports/mailboxes.ts';
import type { ByteBudget } from '../../../libs/runtime/byte-budget.ts';
import { readForParsing } from '../delivery/read-body.ts';
import type { MailboxMetrics } from '../metrics.ts';
import { IndexQueue } from './index-queue.ts';

const limits = {
  queue: { tokens: 1_000_000, batchEntries: 300, batchTokens: 250_000 },
  /** Entries gather this long, unless a whole batch is there: few commits, and far below the 5 s in which search must be complete. */
  gatherMs: 1_000,
  /** Messages that one look at the store finds. */
  unindexedPerCall: 100,
} as const;

export interface IndexerOptions {
  mailboxes: Mailboxes;
  blobs: Blobs;
  parsePool: Pick<ParsePool, 'summaries'>;
  budget: ByteBudget;
  /** How often the store is asked for messages that were never indexed. */
  sweepIntervalMs: number;
  clock: Clock;
  log: Logger;
  metrics: MailboxMetrics;
}

/**
 * Brings delivered messages into the search, behind delivery: what was just parsed comes through a bounded queue; what didn't fit there, or was left by a
 * crash, is found in the store and read again.
 */
export class Indexer {
  readonly #options: IndexerOptions;
  readonly #queue = new IndexQueue(limits.queue);
  readonly #runs: Periodic;
  /** The store may have messages that aren't in the queue. */
  #behind = true;
  #lookAtMs = 0;

  constructor(options: IndexerOptions) {
    this.#options = options;
    const { clock, log } = options;
    const task = (signal: AbortSignal): Promise<void> => this.run(signal);
    this.#runs = new Periodic({ name: 'search index', intervalMs: limits.gatherMs, clock, log, task });
  }

  get waiting(): number {
    return this.#queue.length;
  }

  start(): void {
    this.#runs.start();
  }

  /** What is still queued is found in the store at the next start. */
  stop(): Promise<void> {
    return this.#runs.stop();
  }

  add({ accountId, id, search }: { accountId: string; id: string; search: NonNullable<Listing['search']> }): void {
    if (!this.#queue.add({ accountId, id, ...search })) {
      this.#behind = true;
      this.#options.metrics.indexSkipped.inc();
    }
    if (this.#queue.full) this.#runs.kick();
  }

  async run(signal: AbortSignal): Promise<void> {
    for (let batch = this.#queue.takeBatch(); batch.length > 0 && !signal.aborted; batch = this.#queue.takeBatch()) {
      await this.#index(batch);
    }
    const now = this.#options.clock.monotonicMs();
    if (this.#behind || now >= this.#lookAtMs) {
      this.#lookAtMs = now + this.#options.sweepIntervalMs;
      this.#behind = await this.#catchUp(signal);
      if (this.#behind) this.#runs.kick();
    }
  }

  /** Indexes some messages that the store knows to be missing; true when there may be more. */
  async #catchUp(signal: AbortSignal): Promise<boolean> {
    const missing = await this.#options.mailboxes.unindexed(limits.unindexedPerCall);
    const entries: SearchEntry[] = [];
    try {
      for (const { accountId, id } of missing) {
        signal.throwIfAborted();
        const entry = await this.#read(accountId, id, signal);
        if (entry !== undefined) entries.push(entry);
      }
    } finally {
      // Also what was read before there was trouble.
      if (entries.length > 0) await this.#index(entries);
    }
    return missing.length === limits.unindexedPerCall;
  }

  /** Undefined when the message has gone meanwhile. One that can't be read is indexed without words, so that it isn't looked at for ever. */
  async #read(accountId: string, id: string, signal: AbortSignal): Promise<SearchEntry | undefined> {
    const { mailboxes, blobs, parsePool, budget, log } = this.#options;
    try {
      const { message, ...stored } = await mailboxes.raw(accountId, id);
      return await budget.run(message.sizeBytes, signal, async () => {
        const [listing] = await parsePool.summaries([await readForParsing(stored, blobs)], signal, { search: true });
        return { accountId, id, ...(listing?.search ?? noTokens) };
      });
    } catch (err) {
      if (signal.aborted || isStoreTrouble(err) || isPoolTrouble(err)) throw err;
      if (err instanceof NotFound && err.what !== 'body') return undefined;
      log.error({ err, accountId, id }, 'a message could not be read for the search');
      return { accountId, id, ...noTokens };
    }
  }

  async #index(entries: readonly SearchEntry[]): Promise<void> {
    try {
      await this.#options.mailboxes.index(entries);
      this.#options.metrics.indexed.inc(entries.length);
    } catch (error) {
      // They have left the queue: the store still knows that they are missing.
      this.#behind = true;
      throw error;
    }
  }
}

/** The message isn't to blame: it is read again later. */
const isPoolTrouble = (error: unknown): boolean =>
  error instanceof ParsePoolFullError || error instanceof ParsePoolClosedError;

const noTokens = { from: [], to: [], subject: [], text: [] };
