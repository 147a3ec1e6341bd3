import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { newId } from '../../runtime/ids.ts';
import { inTrace } from '../../runtime/trace-context.ts';
import { busMetrics } from '../metrics.ts';
import type { BusMetrics } from '../metrics.ts';
import type { EventData, EventType } from '../events.ts';
import type { Bus, BusEvent, Subscription } from '../port.ts';
import type { ReplyOf, RequestName, RequestOf } from '../requests.ts';
import { checkEvent, checkWake } from '../schema-check.ts';
import { SerialQueue } from '../serial-queue.ts';
import type { WakeName, WakeOf } from '../wakes.ts';
import { Answerer } from './answerer.ts';
import { Asker } from './asker.ts';
import { decodeEvent, encodeEvent } from './cloud-event.ts';
import { DurableReader } from './durable-reader.ts';
import type { BusMisconfigured } from './errors.ts';
import { longestBackoffMs, NatsLink, within } from './link.ts';
import type { Channel } from './link.ts';
import { linkMetrics } from './metrics.ts';
import type { LinkMetrics } from './metrics.ts';
import type { NatsBusOptions } from './options.ts';
import { Outbox } from './outbox.ts';
import { StreamWatch } from './stream-watch.ts';
import { answerersQueue, cancelSubject, eventSubject, requestSubject, wakeSubject } from './subjects.ts';
import { decodeJson, inTraceOf, messageHeaders } from './wire.ts';

/**
 * The bus of a cluster. Resolves connected, or, when the server can't be reached within `startWaitMs`, without a connection: `status()` is `down` and
 * it goes on trying for ever.
 * @throws BusMisconfigured with what to do: wrong credentials, TLS, a server without JetStream or too old, a stream with other settings
 */
export async function createNatsBus(options: NatsBusOptions): Promise<Bus> {
  const bus = new NatsBus(options);
  try {
    await bus.start();
  } catch (error) {
    await bus.close();
    throw error;
  }
  return bus;
}

interface Closable {
  close(): Promise<void>;
}

class NatsBus implements Bus {
  readonly #options: NatsBusOptions;
  readonly #metrics: BusMetrics;
  readonly #linkMetrics: LinkMetrics;
  readonly #link: NatsLink;
  readonly #outbox: Outbox;
  readonly #asker: Asker;
  readonly #stream: StreamWatch;
  readonly #queues = new Set<{ readonly length: number }>();
  readonly #readers = new Set<{ connected(nc: NatsConnection): Promise<void> }>();
  readonly #answerers = new Set<{ disconnected(): void }>();
  readonly #open = new Set<Closable>();
  readonly #closing = new AbortController();
  readonly #denied = new Set<string>();
  #started = false;
  #connections = 0;
  /** What has to be done on the present connection before events go out; the mistake that it showed, if any. */
  #settled: Promise<BusMisconfigured | undefined> = Promise.resolve(undefined);
  #closed: Promise<void> | undefined;

  constructor(options: NatsBusOptions) {
    this.#options = options;
    const { clock, log, metrics, service } = options;
    const connection = (): NatsConnection | undefined => this.#link.connection;
    const setAside = (name: string, problem: string): void => this.#setAside(name, problem);
    this.#metrics = busMetrics(metrics, () => this.#queued());
    this.#linkMetrics = linkMetrics(metrics, { unsent: () => this.#outbox.length, asked: () => this.#asker.pending });
    this.#outbox = new Outbox({
      cap: options.queueCap ?? defaultQueueCap,
      onDrop: (kind) => this.#metrics.dropped.inc({ kind }),
      onRefused: ({ kind, subject }, err) => {
        this.#metrics.dropped.inc({ kind });
        log.error({ err, subject }, 'NATS does not take a message, it is dropped');
      },
    });
    this.#asker = new Asker({ service, connection, setAside });
    this.#stream = new StreamWatch({
      create: options.createStreams,
      connection,
      ready: this.#linkMetrics.streamReady,
      clock,
      log,
    });
    this.#link = new NatsLink({
      access: options,
      name: options.source,
      clock,
      log,
      startWaitMs: options.startWaitMs ?? 3000,
      onUp: (nc) => this.#onUp(nc),
      onDown: () => this.#onDown(),
      onDenied: (operation, subject) => this.#onDenied(operation, subject),
    });
    this.#link.open(this.#asker.inbox, (msg) => this.#asker.onReply(msg));
  }

  async start(): Promise<void> {
    await this.#link.start();
    const mistake = await this.#settled;
    if (mistake !== undefined) throw mistake;
    this.#started = true;
    this.#stream.start();
  }

  publish<T extends EventType>(type: T, data: EventData<T>): void {
    if (this.#closed !== undefined) return;
    const checked = checkEvent(type, data);
    if (!checked.ok) {
      this.#setAside(type, checked.problem);
      return;
    }
    const headers = messageHeaders();
    const event: BusEvent = {
      specversion: '1.0',
      id: newId(),
      source: this.#options.source,
      type,
      time: new Date(this.#options.clock.nowMs()).toISOString(),
      datacontenttype: 'application/json',
      traceparent: headers.get('traceparent'),
      data: checked.data,
    };
    this.#outbox.push({ kind: 'event', subject: eventSubject(type), payload: encodeEvent(event), headers });
  }

  subscribe<T extends EventType>(
    types: readonly T[],
    handler: (event: BusEvent<T>) => Promise<void> | void,
    options: { durable?: string } = {},
  ): Subscription {
    const deliver = (event: BusEvent<T>): Promise<void> => this.#guard(event.type, () => handler(event));
    if (options.durable !== undefined) return this.#subscribeDurable(types, deliver, options.durable);
    const queue = this.#queue('event', async (item: { type: T; data: Uint8Array }) => {
      const event = decodeEvent(item.type, item.data);
      if (event.ok) await inTrace(event.data.traceparent, () => deliver(event.data));
      else this.#setAside(item.type, event.problem);
    });
    const channels = types.map((type) => this.#link.open(eventSubject(type), ({ data }) => queue.push({ type, data })));
    return this.#subscription(channels, queue);
  }

  request<N extends RequestName>(
    name: N,
    body: RequestOf<N>,
    options: { timeoutMs: number; signal?: AbortSignal; to?: string },
  ): Promise<ReplyOf<N>> {
    return this.#asker.ask(name, body, options);
  }

  respond<N extends RequestName>(
    name: N,
    handler: (body: RequestOf<N>, signal: AbortSignal) => Promise<ReplyOf<N>>,
    options: { as?: string } = {},
  ): Subscription {
    const answerer = new Answerer({
      name,
      handler,
      connection: () => this.#link.connection,
      log: this.#options.log,
      metrics: this.#metrics,
      setAside: (of, problem) => this.#setAside(of, problem),
    });
    const cancels = this.#link.open(cancelSubject(name), (msg) => answerer.onCancel(msg));
    const requests = this.#link.open(
      requestSubject(name, options.as),
      (msg) => answerer.onRequest(msg),
      answerersQueue,
    );
    const stopped: Closable = {
      close: async () => {
        await requests.close();
        await answerer.stop();
        await cancels.close();
        this.#answerers.delete(answerer);
        this.#open.delete(stopped);
      },
    };
    this.#open.add(stopped);
    this.#answerers.add(answerer);
    // As in memory: what is under way may end, while new requests go to others.
    return { close: () => requests.close() };
  }

  wake<W extends WakeName>(name: W, data: WakeOf<W>): void {
    if (this.#closed !== undefined) return;
    const checked = checkWake(name, data);
    if (!checked.ok) this.#setAside(name, checked.problem);
    else {
      const payload = JSON.stringify(checked.data);
      this.#outbox.push({ kind: 'wake', subject: wakeSubject(name), payload, headers: messageHeaders() });
    }
  }

  onWake<W extends WakeName>(name: W, handler: (data: WakeOf<W>) => void): Subscription {
    const queue = this.#queue('wake', async (msg: Msg) => {
      const checked = checkWake(name, decodeJson(msg.data));
      if (checked.ok) await inTraceOf(msg, () => this.#guard(name, () => handler(checked.data)));
      else this.#setAside(name, checked.problem);
    });
    return this.#subscription([this.#link.open(wakeSubject(name), (msg) => queue.push(msg))], queue);
  }

  status(): 'up' | 'down' {
    return this.#link.connection === undefined ? 'down' : 'up';
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#asker.close();
    const parts = [...this.#open].map((part) => part.close());
    await within(this.#options.drainMs ?? 5000, Promise.all(parts));
    this.#closing.abort();
    await this.#stream.stop();
    await this.#link.close();
  }

  #subscribeDurable<T extends EventType>(
    types: readonly T[],
    deliver: (event: BusEvent<T>) => Promise<void>,
    name: string,
  ): Subscription {
    const { clock, log } = this.#options;
    const reader = new DurableReader({
      name,
      types,
      deliver,
      setAside: (of, problem) => this.#setAside(of, problem),
      onTrouble: () => this.#stream.kick(),
      clock,
      log,
    });
    this.#readers.add(reader);
    const nc = this.#link.connection;
    // What is published from now on, the new reader gets: it waits until the consumer stands.
    if (nc !== undefined) void within(settleLimitMs, reader.connected(nc)).finally(this.#outbox.hold());
    const subscription: Subscription = {
      close: async () => {
        this.#readers.delete(reader);
        await reader.close();
        this.#open.delete(subscription);
      },
    };
    this.#open.add(subscription);
    return subscription;
  }

  #onUp(nc: NatsConnection): void {
    this.#linkMetrics.connected.set(1);
    if (this.#connections++ > 0) this.#linkMetrics.reconnects.inc();
    const release = this.#outbox.hold();
    this.#outbox.connected(nc);
    this.#settled = this.#settle(nc).finally(release);
  }

  /** The mistake that the server shows, if any. */
  async #settle(nc: NatsConnection): Promise<BusMisconfigured | undefined> {
    const mistake = await this.#stream.check(nc);
    // Later than at the start the watch tells it.
    if (mistake !== undefined && this.#started) this.#stream.kick();
    await within(settleLimitMs, Promise.all([...this.#readers].map((reader) => reader.connected(nc))));
    // The others come back within one backoff too: what is sent before that, they'd miss.
    if (this.#started) await this.#options.clock.sleep(longestBackoffMs + 250, this.#closing.signal);
    return mistake;
  }

  #onDown(): void {
    this.#linkMetrics.connected.set(0);
    this.#outbox.disconnected();
    this.#asker.failAll('the connection to NATS is lost');
    for (const answerer of this.#answerers) answerer.disconnected();
  }

  #onDenied(operation: string, subject: string): void {
    this.#asker.denied(subject);
    if (this.#denied.has(subject) || this.#denied.size >= mostDenied) return;
    this.#denied.add(subject);
    this.#options.log.warn({ operation, subject }, 'this NATS user has no right to a subject');
  }

  #queue<T>(kind: 'event' | 'wake', handle: (item: T) => Promise<void>): SerialQueue<T> {
    const queue = new SerialQueue({
      handle,
      cap: this.#options.queueCap ?? defaultQueueCap,
      onDrop: () => this.#metrics.dropped.inc({ kind }),
      onClose: () => this.#queues.delete(queue),
    });
    this.#queues.add(queue);
    return queue;
  }

  #subscription(channels: readonly Channel[], queue: Subscription): Subscription {
    const subscription: Subscription = {
      close: async () => {
        await Promise.all([queue.close(), ...channels.map((channel) => channel.close())]);
        this.#open.delete(subscription);
      },
    };
    this.#open.add(subscription);
    return subscription;
  }

  async #guard(name: string, run: () => Promise<void> | void): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#metrics.handlerErrors.inc({ name });
      this.#options.log.error({ err: error, name }, 'a handler of the bus has failed');
    }
  }

  #setAside(name: string, problem: string): void {
    this.#metrics.invalid.inc({ name });
    this.#options.log.error({ name, problem }, 'a payload does not fit its schema');
  }

  #queued(): number {
    let sum = 0;
    for (const queue of this.#queues) sum += queue.length;
    return sum;
  }
}

const defaultQueueCap = 10_000;
/** What the present connection may take to be ready, before events go out all the same. */
const settleLimitMs = 10_000;
const mostDenied = 1000;
