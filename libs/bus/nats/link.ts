import type { Msg, NatsConnection, Subscription as NatsSubscription } from '@nats-io/transport-node';
import { errors } from '@nats-io/transport-node';
import type { Logger } from '../../ops/logger.ts';
import type { Clock } from '../../runtime/clock.ts';
import { dial } from './dial.ts';
import { BusMisconfigured } from './errors.ts';
import type { NatsAccess } from './options.ts';

/** What listens on one subject for as long as it is open, over all connections. */
export interface Channel {
  /** Takes what the server has already sent, then ends. */
  close(): Promise<void>;
}

export interface LinkOptions {
  access: NatsAccess;
  /** Shown in the server's monitoring. */
  name: string;
  clock: Clock;
  log: Logger;
  startWaitMs: number;
  /** A connection stands and all channels are open on it. */
  onUp(nc: NatsConnection): void;
  onDown(): void;
  /** The server refuses this user a subject. */
  onDenied(operation: 'publish' | 'subscription', subject: string): void;
}

interface OpenChannel {
  subject: string;
  queue: string | undefined;
  onMessage: (msg: Msg) => void;
  subscription: NatsSubscription | undefined;
}

/** Keeps one connection, for ever: each time it is lost another is made, with backoff, and all channels are opened on it again. */
export class NatsLink {
  readonly #options: LinkOptions;
  readonly #channels = new Set<OpenChannel>();
  readonly #closing = new AbortController();
  #nc: NatsConnection | undefined;
  #loop: Promise<void> | undefined;
  #lastProblem = '';

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get connection(): NatsConnection | undefined {
    return this.#nc;
  }

  /**
   * Resolves with the first connection, or without one after `startWaitMs`; the link goes on trying.
   * @throws BusMisconfigured when the first answer of the server (or a file) shows a mistake
   */
  async start(): Promise<void> {
    const { clock, startWaitMs } = this.#options;
    const until = clock.monotonicMs() + startWaitMs;
    let failures = 0;
    let connected: NatsConnection | undefined;
    while (connected === undefined && !this.#closing.signal.aborted) {
      connected = await this.#attempt(true);
      if (connected !== undefined) break;
      const waitMs = backoffMs(failures++);
      if (clock.monotonicMs() + waitMs > until) break;
      await clock.sleep(waitMs, this.#closing.signal);
    }
    this.#loop = this.#keep(connected);
  }

  open(subject: string, onMessage: (msg: Msg) => void, queue?: string): Channel {
    const channel: OpenChannel = { subject, queue, onMessage, subscription: undefined };
    this.#channels.add(channel);
    if (this.#nc !== undefined) this.#listen(this.#nc, channel);
    return { close: () => this.#closeChannel(channel) };
  }

  async close(): Promise<void> {
    if (this.#nc !== undefined) await within(flushMs, this.#nc.flush());
    this.#closing.abort();
    await this.#loop;
  }

  async #keep(first: NatsConnection | undefined): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    let nc = first;
    let failures = 0;
    while (!signal.aborted) {
      if (nc === undefined) {
        await clock.sleep(backoffMs(failures++), signal);
        // Who closes doesn't wait for a server that says nothing.
        if (!signal.aborted) nc = await unlessAborted(this.#attempt(false), signal);
        continue;
      }
      failures = 0;
      await lossOf(nc, signal);
      if (!signal.aborted) this.#options.log.warn('the connection to NATS is lost; it is tried again until it is back');
      this.#lost(nc);
      // A frozen server never takes the farewell.
      await within(flushMs, nc.close());
      nc = undefined;
    }
  }

  async #attempt(first: boolean): Promise<NatsConnection | undefined> {
    const { access, name } = this.#options;
    try {
      const nc = await dial(access, name);
      if (this.#closing.signal.aborted) {
        await within(flushMs, nc.close());
        return undefined;
      }
      this.#take(nc);
      return nc;
    } catch (error) {
      if (first && error instanceof BusMisconfigured) throw error;
      this.#report(error);
      return undefined;
    }
  }

  #take(nc: NatsConnection): void {
    this.#nc = nc;
    this.#lastProblem = '';
    this.#options.log.info({ server: nc.getServer(), version: nc.info?.version }, 'connected to NATS');
    void this.#watchErrors(nc);
    for (const channel of this.#channels) this.#listen(nc, channel);
    this.#options.onUp(nc);
  }

  #lost(nc: NatsConnection): void {
    if (this.#nc !== nc) return;
    this.#nc = undefined;
    for (const channel of this.#channels) channel.subscription = undefined;
    this.#options.onDown();
  }

  /** Each problem once, not each attempt. */
  #report(error: unknown): void {
    const problem = error instanceof Error ? error.message : String(error);
    if (problem === this.#lastProblem) return;
    this.#lastProblem = problem;
    if (error instanceof BusMisconfigured) this.#options.log.error({ problem }, 'NATS can not be used; tried again');
    else this.#options.log.warn({ problem }, 'NATS is away; tried again until it is back');
  }

  #listen(nc: NatsConnection, channel: OpenChannel): void {
    const { queue } = channel;
    channel.subscription = nc.subscribe(channel.subject, {
      ...(queue === undefined ? {} : { queue }),
      // An error here is a missing right, which #watchErrors reports.
      callback: (error, msg) => {
        if (error === null) channel.onMessage(msg);
      },
    });
  }

  async #closeChannel(channel: OpenChannel): Promise<void> {
    const { subscription } = channel;
    if (subscription !== undefined && !subscription.isClosed()) await within(flushMs, subscription.drain());
    this.#channels.delete(channel);
    if (channel.subscription?.isClosed() === false) channel.subscription.unsubscribe();
  }

  async #watchErrors(nc: NatsConnection): Promise<void> {
    for await (const status of nc.status()) {
      if (status.type !== 'error') continue;
      if (status.error instanceof errors.PermissionViolationError) {
        this.#options.onDenied(status.error.operation, status.error.subject);
      } else {
        this.#options.log.warn({ problem: status.error.message }, 'the NATS server reports an error');
      }
    }
  }
}

/** At most 1 s, so that work goes on soon after the server is back; jittered, so that not all come at once. */
export const longestBackoffMs = 1000;

const backoffMs = (failures: number): number => Math.min(50 * 2 ** Math.min(failures, 10), 750) + Math.random() * 250;

/** What a server that doesn't answer may take of our time. */
const flushMs = 1000;

/** Resolves when the connection is closed, when the server answers no pings any more, or when `signal` aborts. */
async function lossOf(nc: NatsConnection, signal: AbortSignal): Promise<void> {
  const stale = async (): Promise<void> => {
    for await (const status of nc.status()) if (status.type === 'staleConnection') return;
  };
  await unlessAborted(Promise.race([nc.closed(), stale()]), signal);
}

/** Undefined at once when `signal` aborts. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  let onAbort = (): void => {};
  const aborted = new Promise<undefined>((resolve) => {
    onAbort = () => resolve(undefined);
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Settles with the work or after `ms`, whichever is first; what the work ends with doesn't matter then. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    await Promise.race([work.catch(() => {}), limit]);
  } finally {
    clearTimeout(timer);
  }
}
