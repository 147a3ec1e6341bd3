import type { Registry } from 'prom-client';
import { BusTimeout, type BusEvent, BusUnavailable, type Bus, RequestFailed, type Subscription } from '../bus/port.ts';
import type { Resolution } from '../bus/requests.ts';
import { parseAddress } from '../mail/address/mailbox-address.ts';
import type { Clock } from '../runtime/clock.ts';
import { type ResolveOptions, resolveAddresses } from './resolve.ts';
import { type ResolverMetrics, resolverMetrics } from './resolver-metrics.ts';

export interface CachedResolverOptions extends ResolveOptions {
  bus: Bus;
  clock: Clock;
  metrics: Registry;
  /** How long an answer is good when no event drops it, ms; default 10,000. While the bus is away no event can: then 1,500. */
  ttlMs?: number;
  /** Cap of the cache, in addresses and targets together; default 50,000. */
  maxWeight?: number;
}

/**
 * Resolves addresses through auth and keeps the answers for a short time: at most 10 s, or until an event says that they may have changed. So a change is
 * seen at once; within 2 s while this process knows that the bus is away; and within 10 s when an event was lost otherwise. While auth doesn't answer, the directory in the store is read directly; when that is away too, `resolve` throws what the port throws (StoreUnavailable).
 * Addresses that are asked for at the same time are looked up once.
 */
export class CachedResolver {
  readonly #options: CachedResolverOptions;
  readonly #subscription: Subscription;
  readonly #metrics: ResolverMetrics;
  /** In order of their making, so that the oldest go first. */
  readonly #cache = new Map<string, Cached>();
  readonly #underway = new Map<string, Promise<Resolution>>();
  #weight = 0;
  /** Grows when answers under way may be out of date. */
  #generation = 0;
  /** Until then (monotonic) auth isn't asked, for it has just let a request time out. */
  #busAwayUntilMs = 0;

  constructor(options: CachedResolverOptions) {
    this.#options = options;
    this.#metrics = resolverMetrics(options.metrics);
    this.#subscription = options.bus.subscribe(['account.changed', 'mailbox.quota'], (event) => this.#drop(event));
  }

  /** Answers in order. */
  async resolve(addresses: readonly string[], signal?: AbortSignal): Promise<Resolution[]> {
    const missing = new Set<string>();
    const answers = addresses.map((address) => {
      const key = keyOf(address);
      const cached = this.#cached(key);
      const known = cached === undefined ? this.#underway.get(key) : Promise.resolve(cached);
      this.#metrics.answers.inc({ result: known === undefined ? 'miss' : 'hit' });
      if (known === undefined) missing.add(key);
      return { key, known };
    });
    const asked = this.#ask([...missing]);
    const all = Promise.all(answers.map(({ key, known }) => known ?? asked.get(key) ?? Promise.resolve(unknown)));
    return signal === undefined ? all : abortable(all, signal);
  }

  async close(): Promise<void> {
    await this.#subscription.close();
    this.#clear();
  }

  #cached(key: string): Resolution | undefined {
    const cached = this.#cache.get(key);
    if (cached === undefined) return undefined;
    if (this.#options.clock.monotonicMs() - cached.keptAtMs < this.#ttlMs()) return cached.resolution;
    this.#forget(key);
    return undefined;
  }

  #ttlMs(): number {
    const { bus, ttlMs = defaultTtlMs } = this.#options;
    return bus.status() === 'up' ? ttlMs : Math.min(ttlMs, ttlWithoutBusMs);
  }

  /** One look-up for all keys; each is under way until it ends. */
  #ask(keys: readonly string[]): ReadonlyMap<string, Promise<Resolution>> {
    const asked = new Map<string, Promise<Resolution>>();
    for (let from = 0; from < keys.length; from += maxPerRequest) {
      const chunk = keys.slice(from, from + maxPerRequest);
      const generation = this.#generation;
      const answer = this.#lookUp(chunk);
      for (const [i, key] of chunk.entries()) {
        const one = answer.then((results) => this.#keep(key, results[i] ?? unknown, generation));
        const end = (): void => {
          if (this.#underway.get(key) === one) this.#underway.delete(key);
        };
        one.then(end, end);
        this.#underway.set(key, one);
        asked.set(key, one);
      }
    }
    return asked;
  }

  async #lookUp(addresses: readonly string[]): Promise<readonly Resolution[]> {
    const { bus, clock } = this.#options;
    if (clock.monotonicMs() >= this.#busAwayUntilMs) {
      try {
        const { results } = await bus.request(
          'directory.resolve',
          { addresses: [...addresses] },
          { timeoutMs: requestTimeoutMs },
        );
        return results;
      } catch (error) {
        if (!(error instanceof BusUnavailable || error instanceof BusTimeout || error instanceof RequestFailed))
          throw error;
        if (error instanceof BusTimeout) this.#busAwayUntilMs = clock.monotonicMs() + busRestMs;
      }
    }
    this.#metrics.answers.inc({ result: 'store' }, addresses.length);
    return resolveAddresses(addresses, this.#options);
  }

  #keep(key: string, resolution: Resolution, generation: number): Resolution {
    const maxWeight = this.#options.maxWeight ?? defaultMaxWeight;
    if (generation !== this.#generation || weightOf(resolution) > maxWeight) return resolution;
    this.#forget(key);
    this.#weigh(weightOf(resolution));
    this.#cache.set(key, { resolution, keptAtMs: this.#options.clock.monotonicMs() });
    for (const oldest of this.#cache.keys()) {
      if (this.#weight <= maxWeight) break;
      this.#forget(oldest);
    }
    return resolution;
  }

  #drop(event: BusEvent<'account.changed' | 'mailbox.quota'>): void {
    // What is under way may have been read before the change: nobody joins it any more and it isn't kept.
    this.#generation += 1;
    this.#underway.clear();
    const { accountId } = event.data;
    const anyAddress = 'change' in event.data && event.data.change !== 'updated' && event.data.change !== 'credentials';
    if (anyAddress || accountId === undefined) {
      // A new address or another alias can change what tags, catch-alls and other aliases mean.
      this.#clear();
      return;
    }
    for (const [key, { resolution }] of this.#cache) if (leadsTo(resolution, accountId)) this.#forget(key);
  }

  #forget(key: string): void {
    const cached = this.#cache.get(key);
    if (cached === undefined) return;
    this.#cache.delete(key);
    this.#weigh(-weightOf(cached.resolution));
  }

  #clear(): void {
    this.#cache.clear();
    this.#weigh(-this.#weight);
  }

  #weigh(change: number): void {
    this.#weight += change;
    this.#metrics.entries.inc(change);
  }
}

interface Cached {
  resolution: Resolution;
  keptAtMs: number;
}

const defaultTtlMs = 10_000;
/** The look-up itself takes a moment of the 2 s. */
const ttlWithoutBusMs = 1_500;
const defaultMaxWeight = 50_000;
const requestTimeoutMs = 2_000;
const busRestMs = 5_000;
/** The cap of `directory.resolve`. */
const maxPerRequest = 1_000;
const unknown: Resolution = { kind: 'unknown' };

/** Different spellings of one address are one entry. */
const keyOf = (address: string): string => parseAddress(address)?.key ?? address;

const weightOf = (resolution: Resolution): number =>
  resolution.kind === 'local' ? 1 + resolution.targets.length + (resolution.outside?.length ?? 0) : 1;

function leadsTo(resolution: Resolution, accountId: string): boolean {
  return resolution.kind === 'local' && resolution.targets.some((target) => target.accountId === accountId);
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
