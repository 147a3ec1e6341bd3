import type { Bus } from '../../../libs/bus/port.ts';
import type { DeliveryRow } from '../../../libs/delivery/row.ts';
import { nextAttemptAt } from '../../../libs/delivery/schedule.ts';
import type { Scheduled } from '../../../libs/delivery/schedules.ts';
import type { Logger } from '../../../libs/ops/logger.ts';
import type { Unroutable } from '../../../libs/routing/result.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import { newId } from '../../../libs/runtime/ids.ts';
import type { Deliveries, Outcome } from '../../../libs/store/ports/deliveries.ts';
import type { RemoteClaims } from './claims.ts';
import type { Lanes } from './lanes.ts';
import { remoteLimits } from './limits.ts';

/**
 * Rows that have no way: what can never go is `failed` with the reason, so that the sender is told; what the DNS may have an answer for later is
 * deferred by the schedule, as after any attempt. A few batches at a time, beside what workers are given.
 */
export class UnroutableRows {
  readonly #options: UnroutableOptions;
  readonly #waiting = new Map<string, Unroutable>();
  readonly #underway = new Set<Promise<void>>();
  #stopping = false;

  constructor(options: UnroutableOptions) {
    this.#options = options;
  }

  /** The lane is parked; its rows are ended one batch after the other. */
  end(key: string, result: Unroutable): void {
    this.#waiting.set(key, result);
    this.#pump();
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#underway);
  }

  #pump(): void {
    while (this.#underway.size < remoteLimits.endings && !this.#stopping) {
      const [next] = this.#waiting;
      if (next === undefined) return;
      this.#waiting.delete(next[0]);
      const ending: Promise<void> = this.#endLane(...next).finally(() => {
        this.#underway.delete(ending);
        this.#pump();
      });
      this.#underway.add(ending);
    }
  }

  async #endLane(key: string, result: Unroutable): Promise<void> {
    const { lanes, log } = this.#options;
    // It may have been found while the window is filled.
    await Promise.resolve();
    const lane = lanes.get(key);
    if (lane === undefined) return;
    const needsMore = lane.more;
    const rows = lanes.take(lane, remoteLimits.batchRows);
    try {
      await this.#record(await this.#options.claims.claim(rows, newId()), result);
    } catch (err) {
      log.warn({ err, destination: lane.destination }, 'rows without a way could not be ended: they are tried again');
    }
    if (lanes.get(key) !== undefined) this.#waiting.set(key, result);
    if (needsMore) this.#options.mark([lane.partition]);
    this.#options.onEnded();
  }

  async #record(rows: readonly DeliveryRow[], result: Unroutable): Promise<void> {
    const { deliveries, clock, onFailures } = this.#options;
    if (rows.length === 0) return;
    const at = clock.nowMs();
    const { code, status, text } = result.reply;
    const reply = `${code} ${status} ${text}`;
    const outcomes = rows.flatMap((row): Outcome[] => {
      if (row.claim === undefined) return [];
      return [{ id: row.id, claim: row.claim, at, result: this.#outcomeOf(row, result.kind, reply, at) }];
    });
    const answers = await deliveries.record(outcomes);
    const recorded = new Set(answers.filter(({ answer }) => answer === 'recorded').map(({ id }) => id));
    for (const [index, row] of rows.entries())
      if (recorded.has(row.id)) this.#tell(row, reply, outcomes[index]?.result);
    if (result.kind === 'permanent') onFailures();
  }

  #outcomeOf(row: DeliveryRow, kind: Unroutable['kind'], reply: string, at: number): Outcome['result'] {
    if (kind === 'permanent') return { kind: 'failed', reply, replyClass: 'permanent' };
    const { retryStepsOf, random } = this.#options;
    const stepsMs = retryStepsOf(row);
    const next = nextAttemptAt({ stepsMs, attempts: row.attempts + 1, attemptEndedAt: at, random });
    return { kind: 'deferred', reply, replyClass: 'network', nextAttemptAt: next };
  }

  #tell(row: DeliveryRow, reply: string, result: Outcome['result'] | undefined): void {
    const { bus, log } = this.#options;
    const { id: deliveryId, messageId, recipient, destination } = row;
    log.info({ messageId, deliveryId, destination, reply }, 'a delivery has no way');
    if (result?.kind !== 'deferred') return;
    const at = new Date(result.nextAttemptAt).toISOString();
    bus.publish('mail.deferred', { deliveryId, messageId, recipient, destination, reply, nextAttemptAt: at });
  }
}

export interface UnroutableOptions {
  lanes: Lanes;
  claims: RemoteClaims;
  deliveries: Deliveries;
  /** Waits between attempts of this mail, ms. */
  retryStepsOf: (mail: Scheduled) => readonly number[];
  /** In [0, 1). */
  random: () => number;
  bus: Bus;
  clock: Clock;
  log: Logger;
  /** Rows of these partitions are to be read. */
  mark: (partitions: readonly number[]) => void;
  /** There are failures to report. */
  onFailures: () => void;
  onEnded: () => void;
}
