import { type AcceptDeps, acceptMessage } from '../../../libs/accept/accept.ts';
import type { Blobs } from '../../../libs/blobs/port.ts';
import type { Bus } from '../../../libs/bus/port.ts';
import type { DeliveryRow } from '../../../libs/delivery/row.ts';
import { isClaimable } from '../../../libs/delivery/state.ts';
import { type LocalHost, resolveAddresses } from '../../../libs/directory/resolve.ts';
import type { Logger } from '../../../libs/ops/logger.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import type { Deliveries } from '../../../libs/store/ports/deliveries.ts';
import type { Directory } from '../../../libs/store/ports/directory.ts';
import type { Spool } from '../../../libs/store/ports/spool.ts';
import { reportLimits } from '../limits.ts';
import type { QueueMetrics } from '../metrics.ts';
import { composeReport } from './compose-report.ts';
import { reportId } from './report-id.ts';
import { wantsFailureReport } from './told.ts';

/**
 * Tells senders what failed. For each message: gather its failures, stamp them with the report's number (failed → reporting), accept the report under an id that
 * follows from message and number, then mark the rows bounced. A crash between any two steps leaves rows that the next round finds and goes on with;
 * the id makes sure that the report exists once.
 */
export class Reporter {
  readonly #options: ReporterOptions;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  /** Works off the messages that owe a report; one that fails doesn't keep the others waiting. */
  async round(signal: AbortSignal): Promise<void> {
    const { deliveries, log } = this.#options;
    const messagePartitions = this.#options.messagePartitions();
    const messageIds = await deliveries.failing({ messagePartitions, limit: reportLimits.messages });
    for (const messageId of messageIds) {
      if (signal.aborted) return;
      try {
        await this.report(messageId);
      } catch (err) {
        log.error({ err, messageId }, 'a report could not be made and will be tried again');
      }
    }
  }

  /** Does all that is due of one message; `gathering` when other rows of it may still fail soon. */
  async report(messageId: string): Promise<'done' | 'gathering'> {
    const { deliveries, clock } = this.#options;
    // A number that a crashed round had begun is ended first, then what has failed since gets the next one.
    for (let reports = 0; reports < maxReportsAtOnce; reports++) {
      const now = clock.nowMs();
      if (isGathering(await deliveries.ofMessage(messageId), now)) return 'gathering';
      const started = await deliveries.startReport({ messageId, now });
      if (started === undefined) break;
      const byNumber = Map.groupBy(started.rows, (row) => row.report ?? started.report);
      for (const [n, rows] of byNumber) await this.#finish(messageId, n, rows);
    }
    return 'done';
  }

  async #finish(messageId: string, n: number, rows: readonly DeliveryRow[]): Promise<void> {
    const { deliveries, clock, metrics, log, bus } = this.#options;
    const told = rows.filter(wantsFailureReport);
    const id = told.length === 0 ? undefined : await this.accept(messageId, n, told);
    await deliveries.finishReport({ messageId, report: n, now: clock.nowMs() });
    metrics.reports.inc({ result: id !== undefined ? 'sent' : told.length > 0 ? 'undeliverable' : 'unwanted' });
    for (const row of rows) {
      const reported = told.includes(row) && id !== undefined ? { reportId: id } : {};
      // Nobody else will ever hear of a failure without a report: this line is its record.
      log.warn(
        { audit: true, messageId, deliveryId: row.id, recipient: row.recipient, reply: row.lastReply, ...reported },
        'a delivery has failed for good',
      );
      bus.publish('mail.bounced', {
        deliveryId: row.id,
        messageId,
        recipient: row.recipient,
        destination: row.destination,
        reply: row.lastReply ?? 'expired',
        ...reported,
      });
    }
  }

  /** Accepts the n-th report of the message; undefined when its sender has no address any more that it could go to. Safe to repeat. */
  async accept(messageId: string, n: number, rows: readonly DeliveryRow[]): Promise<string | undefined> {
    const { directory, host, spool, blobs, clock, expireAfterMs } = this.#options;
    const sender = rows[0]?.sender ?? '';
    const [resolution] = await resolveAddresses([sender], { directory, host });
    if (resolution?.kind !== 'local' && resolution?.kind !== 'remote') return undefined;
    const original = (await spool.read([messageId])).get(messageId);
    const id = reportId(messageId, n);
    const report = await composeReport({
      id,
      to: { recipient: sender, resolution },
      rows,
      original,
      blobs,
      hostname: host.hostname,
      domain: host.domain,
      nowMs: clock.nowMs(),
      expireAfterMs,
    });
    await acceptMessage(this.#options, report);
    return id;
  }
}

export interface ReporterOptions extends AcceptDeps {
  bus: Bus;
  spool: Spool;
  deliveries: Deliveries;
  directory: Directory;
  blobs: Blobs;
  host: LocalHost;
  expireAfterMs: number;
  clock: Clock;
  log: Logger;
  metrics: QueueMetrics;
  /** Those of which this owner makes the reports. */
  messagePartitions: () => readonly number[];
}

/** Of one message in one round; the next round goes on. */
const maxReportsAtOnce = 10;

/** One report for all failures of a message, if the others come soon: not while a row is ready or leased, for a minute at most. */
function isGathering(rows: readonly DeliveryRow[], now: number): boolean {
  const failed = rows.filter(({ state }) => state === 'failed');
  const firstAt = Math.min(...failed.map(({ updatedAt }) => updatedAt));
  if (failed.length === 0 || rows.some(({ state }) => state === 'reporting') || now - firstAt >= reportLimits.gatherMs)
    return false;
  return rows.some(({ state, dueAt }) => state === 'leased' || (isClaimable(state) && dueAt <= now));
}
