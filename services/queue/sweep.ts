import type { Blobs } from '../../libs/blobs/port.ts';
import { tellCancelled } from '../../libs/delivery/tell-cancelled.ts';
import type { Bus } from '../../libs/bus/port.ts';
import type { Logger } from '../../libs/ops/logger.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import { partitionCount } from '../../libs/delivery/row.ts';
import { isStoreTrouble } from '../../libs/store/errors.ts';
import type { Deliveries } from '../../libs/store/ports/deliveries.ts';
import type { Groups } from '../../libs/store/ports/groups.ts';
import type { Spool } from '../../libs/store/ports/spool.ts';
import { sweepLimits } from './limits.ts';
import type { QueueMetrics } from './metrics.ts';
import type { Ownership } from './ownership.ts';

/**
 * What carries the work when every wake-up and event is lost: each sweep looks at all that the store knows of this owner's partitions. Every step is safe
 * to repeat and bounded; what is left over waits for the next sweep.
 */
export class Sweep {
  readonly #options: SweepOptions;

  constructor(options: SweepOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.fanOut(signal);
    await this.endLeases(signal);
    await this.noteDelays(signal);
    await this.expire(signal);
    this.#options.onSwept();
  }

  /** Completes the fan-out of messages that the accepting process left half done. */
  async fanOut(signal: AbortSignal): Promise<void> {
    const { spool, ownership, clock, bus } = this.#options;
    await inCalls(signal, async () => {
      const acceptedBefore = clock.nowMs() - sweepLimits.unroutedAfterMs;
      const messageIds = await spool.unrouted({
        partitions: ownership.owned(),
        acceptedBefore,
        limit: sweepLimits.perCall,
      });
      let completed = 0;
      for (const messageId of messageIds) if (await this.#fanOutOne(messageId)) completed++;
      // The rows may be of any partition, also of other owners, who would find them with their own next sweep only.
      if (completed > 0) bus.wake('queue.rows', { partitions: Array.from({ length: partitionCount }, (_, n) => n) });
      // Those that failed would be named again at once: they wait for the next sweep.
      return completed;
    });
  }

  /** False when this one message can't be fanned out, which must not keep the others; rejects when the store has trouble. */
  async #fanOutOne(messageId: string): Promise<boolean> {
    const { spool, log } = this.#options;
    try {
      await spool.fanOut(messageId);
      log.info({ messageId }, 'the fan-out of a message was completed');
      return true;
    } catch (err) {
      if (isStoreTrouble(err)) throw err;
      log.error({ err, messageId }, 'the fan-out of a message has failed and will be tried again');
      return false;
    }
  }

  /** Brings back the rows whose lease has ended, and those that a former owner had handed out. */
  async endLeases(signal: AbortSignal): Promise<void> {
    const { deliveries, ownership, clock, metrics, log } = this.#options;
    await inCalls(signal, async () => {
      const rows = await deliveries.expireLeases({
        partitions: ownership.owned(),
        now: clock.nowMs(),
        limit: sweepLimits.perCall,
      });
      metrics.expiredLeases.inc(rows.length);
      if (rows.length > 0) {
        log.warn({ rows: rows.length }, 'leases of deliveries ended without an outcome');
        this.#options.onRows(new Set(rows.map(({ partition }) => partition)));
        for (const row of rows) if (row.state === 'cancelled') tellCancelled(this.#options.bus, row, 'operator');
      }
      return rows.length;
    });
  }

  /** Notes whose senders are owed a notice that their mail still waits. */
  async noteDelays(signal: AbortSignal): Promise<void> {
    const { deliveries, ownership, clock } = this.#options;
    await inCalls(signal, async () => {
      const partitions = ownership.owned();
      const noted = await deliveries.noteDelays({ partitions, now: clock.nowMs(), limit: sweepLimits.perCall });
      if (noted > 0) this.#options.onFailures();
      return noted;
    });
  }

  /** Ends the waiting of rows past their time: the sender is owed a report now. */
  async expire(signal: AbortSignal): Promise<void> {
    const { deliveries, ownership, clock, log } = this.#options;
    await inCalls(signal, async () => {
      const rows = await deliveries.expireRows({
        partitions: ownership.owned(),
        now: clock.nowMs(),
        limit: sweepLimits.perCall,
      });
      for (const { id, messageId } of rows) log.info({ messageId, deliveryId: id }, 'a delivery has expired');
      if (rows.length > 0) this.#options.onFailures();
      return rows.length;
    });
  }

  /** Removes what is finished and was kept long enough: rows, then bodies that nothing refers to. All of it: what comes in faster than it goes would grow for ever. */
  async housekeep(signal: AbortSignal): Promise<void> {
    const { deliveries, spool, blobs, groups, ownership, clock, traceKeepMs } = this.#options;
    const limit = sweepLimits.perCall;
    await whileMore(signal, async () => {
      return (await deliveries.purge({ before: clock.nowMs() - traceKeepMs, limit })) === limit;
    });
    await whileMore(signal, async () => {
      const { more, blobs: refs } = await spool.collect({
        now: clock.nowMs(),
        keepMs: sweepLimits.bodyKeepMs,
        limit,
      });
      for (const ref of refs) await blobs.remove(ref);
      return more;
    });
    await this.#removeUnreferredBlobs(signal);
    if (!ownership.owns(0)) return;
    await whileMore(signal, async () => {
      return (await groups.purge({ before: clock.nowMs() - traceKeepMs, limit })) === limit;
    });
  }

  /** Blobs that no row names: a crash fell between the blob and its row, or between the row's removal and the blob's. One owner is enough for it. */
  async #removeUnreferredBlobs(signal: AbortSignal): Promise<void> {
    const { spool, blobs, ownership, log } = this.#options;
    if (!ownership.owns(0)) return;
    let cursor: string | undefined;
    do {
      const page = await blobs.list({
        olderThanMs: sweepLimits.unreferredBlobKeepMs,
        limit: sweepLimits.perCall,
        ...(cursor !== undefined && { cursor }),
      });
      const referred = await spool.referredBlobs(page.refs);
      const unreferred = page.refs.filter((ref) => !referred.has(ref));
      for (const ref of unreferred) await blobs.remove(ref);
      if (unreferred.length > 0) log.info({ blobs: unreferred.length }, 'removed blobs that no message refers to');
      cursor = page.cursor;
    } while (cursor !== undefined && !signal.aborted);
  }
}

export interface SweepOptions {
  spool: Spool;
  deliveries: Deliveries;
  blobs: Blobs;
  groups: Pick<Groups, 'purge'>;
  ownership: Pick<Ownership, 'owned' | 'owns'>;
  clock: Clock;
  log: Logger;
  metrics: QueueMetrics;
  bus: Bus;
  /** How long finished rows are kept. */
  traceKeepMs: number;
  /** Rows of these partitions may be claimed again. */
  onRows: (partitions: ReadonlySet<number>) => void;
  onFailures: () => void;
  onSwept: () => void;
}

/** Repeats a bounded call while it finds a full measure of work. */
async function inCalls(signal: AbortSignal, call: () => Promise<number>): Promise<void> {
  for (let calls = 0; calls < sweepLimits.calls && !signal.aborted; calls++) {
    if ((await call()) < sweepLimits.perCall) return;
  }
}

/** Repeats a bounded call until nothing is left. */
async function whileMore(signal: AbortSignal, call: () => Promise<boolean>): Promise<void> {
  while (!signal.aborted && (await call()));
}
