import type { HealthReport } from '../../libs/delivery/limits/health.ts';
import type { Limits } from '../../libs/delivery/limits/limits.ts';
import type { Logger } from '../../libs/ops/logger.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import { Periodic } from '../../libs/runtime/periodic.ts';
import type { Groups } from '../../libs/store/ports/groups.ts';
import { deliveryLimits } from './limits.ts';

/** What happened at groups since the last report, told to their rows a few times a second. One that can't be told is forgotten: the next will say the same. */
export class Health {
  readonly #options: { groups: Pick<Groups, 'report'>; clock: Clock; log: Logger };
  readonly #seen = new Map<string, HealthReport & { limits: Limits }>();
  readonly #reports: Periodic;

  constructor(options: { groups: Pick<Groups, 'report'>; clock: Clock; log: Logger }) {
    this.#options = options;
    const intervalMs = deliveryLimits.reportMs;
    this.#reports = new Periodic({
      ...options,
      name: 'health of groups',
      intervalMs,
      minGapMs: 50,
      task: () => this.#tell(),
    });
  }

  start(): void {
    this.#reports.start();
  }

  stop(): Promise<void> {
    return this.#reports.stop();
  }

  /** What keeps connections from being made is told at once, lest more are tried. */
  saw(what: keyof HealthReport, { group, limits }: { group: string; limits: Limits }): void {
    const seen = this.#seen.get(group) ?? { ok: 0, failed: 0, unreachable: 0, limits };
    this.#seen.set(group, { ...seen, limits, [what]: seen[what] + 1 });
    if (what === 'unreachable') this.#reports.kick();
  }

  async #tell(): Promise<void> {
    const { groups, clock, log } = this.#options;
    const reports = [...this.#seen];
    this.#seen.clear();
    for (const [group, report] of reports) {
      try {
        await groups.report({ ...report, group, now: clock.nowMs() });
      } catch (err) {
        log.warn({ err, group }, 'the health of a destination could not be reported');
        return;
      }
    }
  }
}
