import type { Registry } from 'prom-client';
import type { Logger } from '../../ops/logger.ts';
import type { Clock } from '../../runtime/clock.ts';
import { newId } from '../../runtime/ids.ts';
import type { EventData, EventType } from '../events.ts';
import type { Bus, BusEvent, Subscription } from '../port.ts';
import type { ReplyOf, RequestName, RequestOf } from '../requests.ts';
import { checkEvent, checkWake } from '../schema-check.ts';
import type { WakeName, WakeOf } from '../wakes.ts';
import { busMetrics } from '../metrics.ts';
import type { BusMetrics } from '../metrics.ts';
import { RequestTable } from './requests.ts';
import { SerialQueue } from '../serial-queue.ts';

export interface MemoryBusOptions {
  /** CloudEvents `source`: `/waypost/<service>/<instance>`. */
  source: string;
  clock: Clock;
  log: Logger;
  metrics: Registry;
  /** Events and wake-ups that may wait for one subscription (default 10,000). */
  queueCap?: number;
}

/** The bus of one process. Each reader gets its own copy of a payload, as over a network: services share no memory. */
export function createMemoryBus(options: MemoryBusOptions): Bus {
  return new MemoryBus(options);
}

interface EventReader {
  types: ReadonlySet<EventType>;
  durable: string | undefined;
  queue: SerialQueue<BusEvent>;
}

interface WakeReader {
  name: WakeName;
  queue: SerialQueue<unknown>;
}

class MemoryBus implements Bus {
  readonly #options: MemoryBusOptions;
  readonly #metrics: BusMetrics;
  readonly #events = new Set<EventReader>();
  readonly #wakes = new Set<WakeReader>();
  readonly #requests = new RequestTable();
  #closed = false;

  constructor(options: MemoryBusOptions) {
    this.#options = options;
    this.#metrics = busMetrics(options.metrics, () => this.#queued());
  }

  publish<T extends EventType>(type: T, data: EventData<T>): void {
    if (this.#closed) return;
    const checked = checkEvent(type, data);
    if (!checked.ok) {
      this.#setAside(type, checked.problem);
      return;
    }
    const event: BusEvent = {
      specversion: '1.0',
      id: newId(),
      source: this.#options.source,
      type,
      time: new Date(this.#options.clock.nowMs()).toISOString(),
      datacontenttype: 'application/json',
      data: checked.data,
    };
    for (const reader of this.#readersOf(type)) reader.queue.push(event);
  }

  subscribe<T extends EventType>(
    types: readonly T[],
    handler: (event: BusEvent<T>) => Promise<void> | void,
    options: { durable?: string } = {},
  ): Subscription {
    const reader: EventReader = {
      types: new Set<EventType>(types),
      durable: options.durable,
      queue: this.#queue(
        'event',
        () => this.#events.delete(reader),
        async (event: BusEvent) => {
          const own = this.#ownCopy(types, event);
          if (own !== undefined) await this.#guard(event.type, () => handler(own));
        },
      ),
    };
    this.#events.add(reader);
    return reader.queue;
  }

  request<N extends RequestName>(
    name: N,
    body: RequestOf<N>,
    options: { timeoutMs: number; signal?: AbortSignal; to?: string },
  ): Promise<ReplyOf<N>> {
    return this.#requests.ask(name, body, options);
  }

  respond<N extends RequestName>(
    name: N,
    handler: (body: RequestOf<N>, signal: AbortSignal) => Promise<ReplyOf<N>>,
    options: { as?: string } = {},
  ): Subscription {
    return this.#requests.answer(name, handler, options.as);
  }

  wake<W extends WakeName>(name: W, data: WakeOf<W>): void {
    if (this.#closed) return;
    for (const reader of this.#wakes) if (reader.name === name) reader.queue.push(data);
  }

  onWake<W extends WakeName>(name: W, handler: (data: WakeOf<W>) => void): Subscription {
    const reader: WakeReader = {
      name,
      queue: this.#queue(
        'wake',
        () => this.#wakes.delete(reader),
        async (data: unknown) => {
          const checked = checkWake(name, data);
          if (checked.ok) await this.#guard(name, () => handler(checked.data));
          else this.#setAside(name, checked.problem);
        },
      ),
    };
    this.#wakes.add(reader);
    return reader.queue;
  }

  status(): 'up' | 'down' {
    return 'up';
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#requests.close();
    await Promise.all([...this.#events, ...this.#wakes].map((reader) => reader.queue.close()));
  }

  /** All that aren't durable, and of each durable name the one with the fewest events waiting. */
  #readersOf(type: EventType): EventReader[] {
    const chosen: EventReader[] = [];
    const durable = new Map<string, EventReader>();
    for (const reader of this.#events) {
      if (!reader.types.has(type)) continue;
      if (reader.durable === undefined) {
        chosen.push(reader);
        continue;
      }
      const other = durable.get(reader.durable);
      if (other === undefined || reader.queue.length < other.queue.length) durable.set(reader.durable, reader);
    }
    return [...chosen, ...durable.values()];
  }

  #ownCopy<T extends EventType>(types: readonly T[], event: BusEvent): BusEvent<T> | undefined {
    const type = types.find((candidate) => candidate === event.type);
    if (type === undefined) return undefined;
    const checked = checkEvent(type, event.data);
    if (checked.ok) return { ...event, type, data: checked.data };
    this.#setAside(type, checked.problem);
    return undefined;
  }

  #queue<T>(kind: string, onClose: () => void, handle: (item: T) => Promise<void>): SerialQueue<T> {
    return new SerialQueue({
      handle,
      cap: this.#options.queueCap ?? defaultQueueCap,
      onDrop: () => this.#metrics.dropped.inc({ kind }),
      onClose,
    });
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
    for (const reader of this.#events) sum += reader.queue.length;
    for (const reader of this.#wakes) sum += reader.queue.length;
    return sum;
  }
}

const defaultQueueCap = 10_000;
