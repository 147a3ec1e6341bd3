import type { NatsConnection } from '@nats-io/transport-node';
import type { Gauge } from 'prom-client';
import type { Logger } from '../../ops/logger.ts';
import type { Clock } from '../../runtime/clock.ts';
import { Periodic } from '../../runtime/periodic.ts';
import { BusMisconfigured } from './errors.ts';
import { ensureStream } from './stream.ts';
import { eventsStream } from './subjects.ts';

export interface StreamWatchOptions {
  create: boolean;
  connection: () => NatsConnection | undefined;
  ready: Gauge;
  clock: Clock;
  log: Logger;
}

/**
 * Keeps an eye on the stream of events: at each connection, every 30 s, and when a reader can't read. Without it requests, wake-ups and readers that aren't durable go
 * on as ever, so its absence is told (log, metric) and stops nothing.
 */
export class StreamWatch {
  readonly #options: StreamWatchOptions;
  readonly #periodic: Periodic;
  #told = '';

  constructor(options: StreamWatchOptions) {
    this.#options = options;
    const { clock, log } = options;
    this.#periodic = new Periodic({
      name: 'the stream of events',
      intervalMs: 30_000,
      minGapMs: 1000,
      clock,
      log,
      task: async () => {
        const nc = this.#options.connection();
        const mistake = nc === undefined ? undefined : await this.check(nc);
        if (mistake !== undefined) this.#tell(mistake.message);
      },
    });
  }

  start(): void {
    this.#periodic.start();
  }

  kick(): void {
    this.#periodic.kick();
  }

  stop(): Promise<void> {
    return this.#periodic.stop();
  }

  /** Resolves with the mistake that it finds, if any; other trouble is logged, the next look may end better. */
  async check(nc: NatsConnection): Promise<BusMisconfigured | undefined> {
    const { create, ready } = this.#options;
    try {
      const state = await ensureStream(nc, create);
      ready.set(state === 'missing' ? 0 : 1);
      this.#tell(state === 'missing' ? missing : '');
      return undefined;
    } catch (error) {
      ready.set(0);
      if (error instanceof BusMisconfigured) return error;
      if (!nc.isClosed()) this.#tell(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }

  /** Each problem once. */
  #tell(problem: string): void {
    if (problem === this.#told) return;
    this.#told = problem;
    if (problem === '') this.#options.log.info({ stream: eventsStream }, 'the stream of events is there');
    else this.#options.log.error({ problem }, 'events are not kept: durable readers miss them, all else goes on');
  }
}

const missing = `the stream ${eventsStream} is not there: run \`waypost migrate\` with a user that may make it, or set WAYPOST_CREATE_STREAMS=true`;
