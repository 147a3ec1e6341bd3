import type { Logger } from '../../libs/ops/logger.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import { OutcomeUnknown, StoreUnavailable } from '../../libs/store/errors.ts';
import type { Spool } from '../../libs/store/ports/spool.ts';

const probeEveryMs = 500;
const probeTimeoutMs = 5000;

/**
 * Whether the spool takes writes. It shuts when an accept has failed for want of a store or has an unknown outcome, and opens again by itself once a probe
 * has committed. While it is shut, senders get 451 before they send anything.
 */
export class SpoolGate {
  readonly #spool: Pick<Spool, 'probe'>;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #closing = new AbortController();
  #open = true;
  #probing: Promise<void> = Promise.resolve();

  constructor({ spool, clock, log }: { spool: Pick<Spool, 'probe'>; clock: Clock; log: Logger }) {
    this.#spool = spool;
    this.#clock = clock;
    this.#log = log;
  }

  get open(): boolean {
    return this.#open;
  }

  /** Tells of what an accept was rejected with. */
  failed(error: unknown): void {
    if (this.#open && (error instanceof StoreUnavailable || error instanceof OutcomeUnknown)) this.shut(error);
  }

  shut(error?: unknown): void {
    this.#open = false;
    this.#log.error({ err: error }, 'the spool takes no writes; senders are asked to come again');
    this.#probing = this.#probe(this.#closing.signal);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#probing;
  }

  async #probe(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      if (await this.#spool.probe(probeTimeoutMs).catch(() => false)) {
        this.#open = true;
        this.#log.info('the spool takes writes again');
        return;
      }
      await this.#clock.sleep(probeEveryMs, signal);
    }
  }
}
