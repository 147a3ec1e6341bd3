import { AckPolicy, DeliverPolicy, JetStreamApiError, jetstream, jetstreamManager } from '@nats-io/jetstream';
import type { Consumer, ConsumerConfig, ConsumerInfo, JetStreamManager, JsMsg } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Logger } from '../../ops/logger.ts';
import type { Clock } from '../../runtime/clock.ts';
import { inTrace } from '../../runtime/trace-context.ts';
import type { EventType } from '../events.ts';
import type { BusEvent } from '../port.ts';
import { decodeEvent } from './cloud-event.ts';
import { eventsStream, eventSubject } from './subjects.ts';

export interface DurableReaderOptions<T extends EventType> {
  /** Of the consumer: letters, digits, `-` and `_`. */
  name: string;
  types: readonly T[];
  /** Never rejects. */
  deliver: (event: BusEvent<T>) => Promise<void>;
  setAside: (name: string, problem: string) => void;
  /** The consumer can't be used: the stream may be gone. */
  onTrouble: () => void;
  clock: Clock;
  log: Logger;
}

/**
 * One subscription of a durable consumer, which all that use its name share, in this process and in others. An event is acknowledged when its handler
 * has ended, well or not; one whose process died is given to another. The consumer is made again when it is gone with the server's data, from
 * the last event that this reader saw on.
 */
export class DurableReader<T extends EventType> {
  readonly #options: DurableReaderOptions<T>;
  readonly #subjects: ReadonlyMap<string, T>;
  readonly #closing = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #messages: { stop(): void } | undefined;
  /** By the server's clock, in whole ms: what is newer we haven't seen. */
  #seenUntil: Date | undefined;

  constructor(options: DurableReaderOptions<T>) {
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(options.name))
      throw new TypeError(`'${options.name}' can't name a durable consumer`);
    this.#options = options;
    this.#subjects = new Map(options.types.map((type) => [eventSubject(type), type]));
  }

  /** Reads over this connection until it closes. Resolves when the consumer stands, or could not be made yet. */
  connected(nc: NatsConnection): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#loop;
      this.#loop = before.then(() => this.#read(nc, resolve));
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#messages?.stop();
    await this.#loop;
  }

  async #read(nc: NatsConnection, tried: () => void): Promise<void> {
    let problem = '';
    while (!this.#closing.signal.aborted && !nc.isClosed()) {
      try {
        const consumer = await this.#consumer(nc);
        tried();
        problem = '';
        await this.#readFrom(consumer);
      } catch (error) {
        tried();
        const text = error instanceof Error ? error.message : String(error);
        if (!nc.isClosed() && text !== problem) {
          this.#options.log.warn(
            { consumer: this.#options.name, problem: text },
            'a durable consumer fails; tried again',
          );
          problem = text;
        }
        this.#options.onTrouble();
        await this.#options.clock.sleep(retryMs, this.#closing.signal);
      }
    }
    tried();
  }

  /** One pull after the other, until one fails: the consumer may be gone. */
  async #readFrom(consumer: Consumer): Promise<void> {
    while (!this.#closing.signal.aborted) {
      const messages = await consumer.fetch({ max_messages: batchSize, expires: pullMs });
      this.#messages = messages;
      if (this.#closing.signal.aborted) messages.stop();
      // After a stop it still yields what had come: that is given back at once.
      for await (const message of messages) {
        if (this.#closing.signal.aborted) message.nak();
        else await this.#take(message);
      }
    }
  }

  async #take(message: JsMsg): Promise<void> {
    const type = this.#subjects.get(message.subject);
    if (type === undefined) {
      // A copy of another release reads more types under this name.
      message.nak(notOursMs);
      return;
    }
    const event = decodeEvent(type, message.data);
    if (!event.ok) {
      this.#options.setAside(type, event.problem);
      message.term('does not fit its schema');
    } else {
      const working = setInterval(() => message.working(), ackWaitMs / 3);
      await inTrace(event.data.traceparent, () => this.#options.deliver(event.data));
      clearInterval(working);
      message.ack();
    }
    if (this.#seenUntil === undefined || message.time > this.#seenUntil) this.#seenUntil = message.time;
  }

  async #consumer(nc: NatsConnection): Promise<Consumer> {
    const jsm = await jetstreamManager(nc, { checkAPI: false, timeout: apiMs });
    const info = (await this.#existing(jsm)) ?? (await this.#make(jsm));
    this.#seenUntil ??= new Date(info.created);
    return jetstream(nc, { timeout: apiMs }).consumers.getConsumerFromInfo(info);
  }

  async #existing(jsm: JetStreamManager): Promise<ConsumerInfo | undefined> {
    const { name } = this.#options;
    try {
      const info = await jsm.consumers.info(eventsStream, name);
      if (sameSubjects(info.config, [...this.#subjects.keys()])) return info;
      return await jsm.consumers.update(eventsStream, name, { filter_subjects: [...this.#subjects.keys()] });
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === consumerNotFound) return undefined;
      throw error;
    }
  }

  async #make(jsm: JetStreamManager): Promise<ConsumerInfo> {
    const start: Partial<ConsumerConfig> =
      this.#seenUntil === undefined
        ? { deliver_policy: DeliverPolicy.New }
        : {
            deliver_policy: DeliverPolicy.StartTime,
            opt_start_time: this.#seenUntil.toISOString(),
          };
    const info = await jsm.consumers.add(eventsStream, {
      durable_name: this.#options.name,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ackWaitMs),
      // Only an event whose process died comes again; one that kills each reader must end.
      max_deliver: 5,
      max_ack_pending: 1000,
      filter_subjects: [...this.#subjects.keys()],
      ...start,
    });
    if (sameSubjects(info.config, [...this.#subjects.keys()])) return info;
    throw new Error('the server has dropped the filter of the consumer');
  }
}

const batchSize = 16;
const pullMs = 10_000;
const ackWaitMs = 30_000;
const notOursMs = 1000;
const retryMs = 500;
const apiMs = 5000;
const consumerNotFound = 10014;

function sameSubjects(config: ConsumerConfig, wanted: readonly string[]): boolean {
  const got = config.filter_subjects ?? (config.filter_subject === undefined ? [] : [config.filter_subject]);
  return got.length === wanted.length && wanted.every((subject) => got.includes(subject));
}
