import type { EventData, EventType } from './events.ts';
import type { RequestName, RequestOf, ReplyOf } from './requests.ts';
import type { WakeName, WakeOf } from './wakes.ts';

/**
 * How services talk: events, requests and wake-ups. The bus is never the only place where something is known: each reader of events and wake-ups
 * also sweeps the store, so that losing all the bus holds delays work by one sweep and loses none.
 *
 * - Payloads are checked against their schema on both sides. One that fails on arrival is logged, counted and set aside, never looped.
 * - Handlers run one after the other for each subscription; a handler that throws is logged and counted, and the event counts as read.
 * - Buffers are bounded; past the cap the oldest wake-ups and events are dropped and counted (see above why that loses nothing).
 */
export interface Bus {
  /** Publishes without waiting; never throws for an absent bus (that is counted). `data` must fit the schema of `type`. */
  publish<T extends EventType>(type: T, data: EventData<T>): void;

  /**
   * Reads events of the given types. `durable` names a consumer that goes on where it was (cluster; in memory it is as any other); without it only
   * what is published from now on. Subscriptions of one `durable` name share the events between them.
   */
  subscribe<T extends EventType>(
    types: readonly T[],
    handler: (event: BusEvent<T>) => Promise<void> | void,
    options?: { durable?: string },
  ): Subscription;

  /** Asks whoever answers `name`. Rejects with BusUnavailable (nobody answers, or no bus), BusTimeout, or RequestFailed (the answerer's error). */
  request<N extends RequestName>(
    name: N,
    body: RequestOf<N>,
    options: { timeoutMs: number; signal?: AbortSignal; to?: string },
  ): Promise<ReplyOf<N>>;

  /** Answers `name`; several that answer share the requests. With `as`, answers only requests sent `to` that name. */
  respond<N extends RequestName>(
    name: N,
    handler: (body: RequestOf<N>, signal: AbortSignal) => Promise<ReplyOf<N>>,
    options?: { as?: string },
  ): Subscription;

  /** A hint to everybody that listens: may be lost, may come twice. */
  wake<W extends WakeName>(name: W, data: WakeOf<W>): void;
  onWake<W extends WakeName>(name: W, handler: (data: WakeOf<W>) => void): Subscription;

  /** `down` while the server can't be reached; in memory always `up`. */
  status(): 'up' | 'down';
  close(): Promise<void>;
}

export interface Subscription {
  /** No further call of the handler after this resolves. */
  close(): Promise<void>;
}

/** CloudEvents 1.0, structured JSON. */
export interface BusEvent<T extends EventType = EventType> {
  specversion: '1.0';
  id: string;
  /** `/waypost/<service>/<instance>` */
  source: string;
  /** `waypost.<type>` on the wire; here the short name. */
  type: T;
  /** RFC 3339, UTC. */
  time: string;
  datacontenttype: 'application/json';
  traceparent?: string;
  data: EventData<T>;
}

export class BusUnavailable extends Error {
  override readonly name = 'BusUnavailable';
}

export class BusTimeout extends Error {
  override readonly name = 'BusTimeout';
}

/** The answerer failed; `code` is stable, the message is for logs. */
export class RequestFailed extends Error {
  override readonly name = 'RequestFailed';
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
