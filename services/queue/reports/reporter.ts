import type { Bus } from '../../../libs/bus/port.ts';
import { type Owed, wantsFailureReport } from '../../../libs/delivery/owed.ts';
import type { DeliveryRow } from '../../../libs/delivery/row.ts';
import type { Logger } from '../../../libs/ops/logger.ts';
import { reportLimits } from '../limits.ts';
import type { QueueMetrics } from '../metrics.ts';
import { delaysGather, failuresGather, successesGather } from './gathering.ts';
import { isPostmasterLoop } from './postmaster-loop.ts';
import { type SendReportDeps, sendReport } from './send-report.ts';

/**
 * Tells senders what failed, and what they are owed besides. For each message: gather its failures, stamp them with the report's number (failed → reporting),
 * accept the report under an id that follows from message and number, then mark the rows bounced; notices of delay and success likewise, by `owes`. A crash
 * between any two steps leaves rows that the next round finds and goes on with; the id makes sure that the report exists once.
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
    const messageIds = await deliveries.owing({ messagePartitions, limit: reportLimits.messages });
    for (const messageId of messageIds) {
      if (signal.aborted) return;
      try {
        await this.report(messageId);
      } catch (err) {
        log.error({ err, messageId }, 'a report could not be made and will be tried again');
      }
    }
  }

  /** Does all that is due of one message; `gathering` when other rows of it may soon belong to the same report. */
  async report(messageId: string): Promise<'done' | 'gathering'> {
    const ends = [
      await this.#failures(messageId),
      await this.#notices(messageId, 'delay', delaysGather),
      await this.#notices(messageId, 'success', successesGather),
    ];
    return ends.includes('gathering') ? 'gathering' : 'done';
  }

  async #failures(messageId: string): Promise<'done' | 'gathering'> {
    const { deliveries, clock } = this.#options;
    // A number that a crashed round had begun is ended first, then what has failed since gets the next one.
    for (let reports = 0; reports < maxReportsAtOnce; reports++) {
      const now = clock.nowMs();
      if (failuresGather(await deliveries.ofMessage(messageId), now)) return 'gathering';
      const started = await deliveries.startReport({ messageId, now });
      if (started === undefined) break;
      const byNumber = Map.groupBy(started.rows, (row) => row.report ?? started.report);
      for (const [n, rows] of byNumber) await this.#finish(messageId, n, rows);
    }
    return 'done';
  }

  async #finish(messageId: string, n: number, rows: readonly DeliveryRow[]): Promise<void> {
    const { deliveries, clock, metrics, log, bus } = this.#options;
    const told = rows.filter((row) => wantsFailureReport(row) && !isPostmasterLoop(row));
    const about = { messageId, kind: 'failure', n, rows: told } as const;
    const id = told.length === 0 ? undefined : await sendReport(this.#options, about);
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

  async #notices(
    messageId: string,
    kind: Owed,
    gather: (rows: readonly DeliveryRow[], now: number) => boolean,
  ): Promise<'done' | 'gathering'> {
    const { deliveries, clock, metrics, log } = this.#options;
    for (let notices = 0; notices < maxReportsAtOnce; notices++) {
      const rows = await deliveries.ofMessage(messageId);
      if (!rows.some(({ owes }) => owes === kind)) break;
      if (gather(rows, clock.nowMs())) return 'gathering';
      const started = await deliveries.startNotice({ messageId, kind });
      if (started === undefined) break;
      const { notice, rows: owing } = started;
      const told = owing.filter((row) => !isPostmasterLoop(row));
      const about = { messageId, kind, n: notice, rows: told };
      const id = told.length === 0 ? undefined : await sendReport(this.#options, about);
      const reply = id === undefined ? 'the sender can’t be told' : `message ${id}`;
      await deliveries.finishNotice({ messageId, kind, notice, now: clock.nowMs(), reply });
      metrics.notices.inc({ kind, result: id === undefined ? 'undeliverable' : 'sent' });
      log.info({ messageId, kind, deliveries: owing.length, reportId: id }, 'a sender was told of its deliveries');
    }
    return 'done';
  }
}

export interface ReporterOptions extends SendReportDeps {
  bus: Bus;
  log: Logger;
  metrics: QueueMetrics;
  /** Those of which this owner makes the reports. */
  messagePartitions: () => readonly number[];
}

/** Of one message in one round; the next round goes on. */
const maxReportsAtOnce = 10;
