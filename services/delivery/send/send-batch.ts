import type { Batch, Way } from '../../../libs/bus/requests.ts';
import type { BatchRow } from '../../../libs/delivery/worker/claim-of.ts';
import { handBack } from '../../../libs/delivery/worker/hand-back.ts';
import type { HeldLease } from '../../../libs/delivery/worker/keep-leased.ts';
import type { Logger } from '../../../libs/ops/logger.ts';
import { SessionAborted } from '../../../libs/smtp/client/failures.ts';
import type { Deliveries } from '../../../libs/store/ports/deliveries.ts';
import type { Spool, SpooledMessage } from '../../../libs/store/ports/spool.ts';
import { deliveryLimits } from '../limits.ts';
import { isTooMany } from './outcomes.ts';
import { type NoSession, type OpenDeps, openSession } from './open-session.ts';
import { deferred, type Schedule } from './outcomes.ts';
import { type Connection, takesMore } from './sessions.ts';
import { type RowEnd, settle, type SettlementDeps } from './settlement.ts';
import { type PlannedTransaction, planTransactions, portionOf } from './transactions.ts';
import { type TransactDeps, transactRows } from './transact-rows.ts';

export interface SendDeps extends OpenDeps, SettlementDeps, TransactDeps {
  spool: Pick<Spool, 'read'>;
  deliveries: Deliveries;
  schedule: Schedule;
  log: Logger;
}

/** How the process ends: what isn't begun is handed back when `draining` aborts, what is under way is cut when `abandoning` does. */
export interface Ending {
  draining: AbortSignal;
  abandoning: AbortSignal;
}

/**
 * One batch for outside from end to end: one transaction after the other over one session, each one's outcomes written while the next goes. False: what was handed back
 * would come again at once. Rejects with trouble of the store; what wasn't begun is handed back then too, if it can be.
 */
export async function sendBatch(
  batch: Batch,
  way: Way,
  lease: HeldLease,
  deps: SendDeps,
  ending: Ending,
): Promise<boolean> {
  const run = new BatchRun(batch, way, lease, deps, ending);
  const drain = (): void => run.giveBack();
  ending.draining.addEventListener('abort', drain, { once: true });
  try {
    return await run.run();
  } finally {
    ending.draining.removeEventListener('abort', drain);
  }
}

type Step = 'next' | 'stop' | 'pause';

class BatchRun {
  readonly #batch: Batch;
  readonly #way: Way;
  readonly #lease: HeldLease;
  readonly #deps: SendDeps;
  /** Until a transaction has begun. */
  readonly #openSignal: AbortSignal;
  readonly #cutSignal: AbortSignal;
  /** Rows that no server was asked about. */
  readonly #remaining: Map<string, BatchRow>;
  #connection: Connection | undefined;
  #losses = 0;
  /** The outcomes of the last transaction on their way into the store. */
  #settling: Promise<void> = Promise.resolve();
  #returning: Promise<void> = Promise.resolve();

  constructor(batch: Batch, way: Way, lease: HeldLease, deps: SendDeps, ending: Ending) {
    this.#batch = batch;
    this.#way = way;
    this.#lease = lease;
    this.#deps = deps;
    this.#cutSignal = AbortSignal.any([ending.abandoning, lease.signal]);
    this.#openSignal = AbortSignal.any([ending.draining, this.#cutSignal]);
    this.#remaining = new Map(batch.rows.map((row) => [row.id, row]));
  }

  async run(): Promise<boolean> {
    let step: Step = 'next';
    try {
      let planned: readonly PlannedTransaction[] = planTransactions(this.#batch.rows);
      while (planned.length > 0 && step === 'next' && !this.#openSignal.aborted) {
        const portion = portionOf(planned, readAhead);
        const messages = await this.#deps.spool.read(portion.map(({ messageId }) => messageId));
        for (const transaction of portion) {
          step = await this.#sendMessage(transaction, messages.get(transaction.messageId));
          if (step !== 'next') break;
        }
        planned = planned.slice(portion.length);
      }
    } catch (error) {
      if (!(error instanceof SessionAborted)) throw error;
    } finally {
      // The next batch needn't wait for the last outcomes of this one to be written.
      if (this.#connection !== undefined) this.#deps.sessions.done(this.#connection);
      this.giveBack();
      await Promise.all([this.#settling, this.#returning]);
    }
    return step !== 'pause';
  }

  /** Hands back what isn't begun, while the lease lives. */
  giveBack(): void {
    const rows = [...this.#remaining.values()].filter(({ id }) => this.#lease.holds(id));
    this.#remaining.clear();
    if (rows.length > 0) this.#return(rows);
  }

  #return(rows: readonly BatchRow[]): void {
    this.#deps.metrics.returned.inc(rows.length);
    for (const { id } of rows) this.#lease.ended(id);
    this.#returning = Promise.all([this.#returning, handBack({ ...this.#batch, rows: [...rows] }, this.#deps)]).then(
      () => undefined,
    );
  }

  async #sendMessage(transaction: PlannedTransaction, message: SpooledMessage | undefined): Promise<Step> {
    let pending = transaction.rows;
    let retried = false;
    while (pending.length > 0 && !this.#openSignal.aborted) {
      const opened = await this.#connected();
      if (opened !== 'next') return opened;
      const connection = this.#connection;
      if (connection === undefined) return 'stop';
      const { maxRecipients } = connection.session.capabilities;
      const rows = pending.slice(0, maxRecipients).filter(({ id }) => this.#remaining.has(id) && this.#lease.holds(id));
      pending = pending.slice(maxRecipients);
      if (rows.length === 0) continue;
      for (const { id } of rows) this.#remaining.delete(id);
      const { transactions, failure } = connection.session;
      const mayBeStale = !retried && (transactions > 0 || failure !== undefined);
      const { reversePath } = transaction;
      const request = { rows, reversePath, message, connection, mayBeStale, signal: this.#cutSignal };
      const { ends, outcomes, untouched } = await this.#transact(request);
      if (untouched === 'stale') {
        // It ended between two messages: another connection, and no attempt is counted.
        retried = true;
        pending = this.#again(rows, pending);
        continue;
      }
      if (untouched === 'cut') {
        this.#afterCut(rows, ends);
        return 'stop';
      }
      const more = ends.filter((_, at) => outcomes[at] !== undefined && isTooMany(outcomes[at], outcomes));
      if (more.length > 0)
        pending = this.#again(
          more.map(({ row }) => row),
          pending,
        );
      await this.#settle(ends.filter((end) => !more.includes(end)));
      if (connection.session.failure === undefined) this.#losses = 0;
      else if (++this.#losses >= deliveryLimits.lossesInARow) return 'pause';
    }
    return 'next';
  }

  #again(rows: readonly BatchRow[], pending: readonly BatchRow[]): readonly BatchRow[] {
    for (const row of rows) this.#remaining.set(row.id, row);
    return [...rows, ...pending];
  }

  /** A message that we have cut off ourselves was no attempt, unless a server may have it. */
  #afterCut(rows: readonly BatchRow[], ends: readonly RowEnd[]): void {
    const known = ends.filter(({ result }) => result.kind !== 'deferred' || result.replyClass === 'unknown');
    void this.#settle(known);
    const ended = new Set(known.map(({ row }) => row.id));
    const back = rows.filter(({ id }) => !ended.has(id) && this.#lease.holds(id));
    if (back.length > 0) this.#return(back);
  }

  async #transact(request: Parameters<typeof transactRows>[0]): ReturnType<typeof transactRows> {
    try {
      return await transactRows(request, this.#deps);
    } catch (error) {
      this.#again(request.rows, []);
      throw error;
    }
  }

  /** At most one transaction's outcomes are not in the store while the next one goes: what a crash now would send twice. */
  async #settle(ends: readonly RowEnd[]): Promise<void> {
    const earlier = this.#settling;
    this.#settling = Promise.all([earlier, settle(ends, this.#batch, this.#lease, this.#deps)]).then(() => undefined);
    await earlier;
  }

  async #connected(): Promise<Step> {
    if (this.#connection !== undefined && takesMore(this.#connection)) return 'next';
    if (this.#connection !== undefined) this.#deps.sessions.done(this.#connection);
    this.#connection = undefined;
    const opened = await openSession(this.#way, this.#deps, this.#openSignal);
    if ('noPermit' in opened) return 'pause';
    if ('connection' in opened) {
      this.#connection = opened.connection;
      return 'next';
    }
    this.#deferAll(opened.failed);
    return 'stop';
  }

  #deferAll({ kind, reply, host, address }: NoSession): void {
    const { schedule, clock } = this.#deps;
    const at = clock.nowMs();
    const rows = [...this.#remaining.values()].filter(({ id }) => this.#lease.holds(id));
    this.#remaining.clear();
    const about = host === '' ? {} : { with: { host, address } };
    const ends = rows.map((row): RowEnd => {
      if (kind === 'permanent') return { row, result: { kind: 'failed', reply, replyClass: 'permanent' }, ...about };
      return { row, result: deferred(row, reply, kind, at, schedule), ...about };
    });
    void this.#settle(ends);
  }
}

const readAhead = { bytes: deliveryLimits.readAheadBytes, messages: deliveryLimits.readAheadMessages };
