import type { Registry } from 'prom-client';
import type { Clock } from '../runtime/clock.ts';
import { isLoopbackHost } from '../runtime/loopback.ts';
import { unlessAborted } from '../runtime/unless-aborted.ts';
import { AnswerCache } from './answer-cache.ts';
import { ServerAsker, unknown } from './ask-servers.ts';
import type { DnsServerAddress } from './exchange.ts';
import { type Answer, lookUp } from './look-up.ts';
import { type DnsMetrics, dnsMetrics } from './metrics.ts';
import type { AddressFamily, Address, Dns, DnsResult, LookupOptions } from './port.ts';
import { isAbsent } from './port.ts';
import { Turns } from './turns.ts';
import { normaliseName } from './wire/name.ts';
import type { RecordData, RecordTypeName } from './wire/record-data.ts';

export interface DnsOptions {
  /** Recursive resolvers, asked in turn; at least one. */
  servers: readonly DnsServerAddress[];
  /** Their AD flag is believed even off loopback: the way to them is as safe as this machine. */
  trustAuthentic: boolean;
  clock: Clock;
  metrics: Registry;
  /** For one look-up with all its CNAMEs, servers and rounds; default 10,000. */
  limitMs?: number;
  /** Answers kept; default 20,000. */
  maxEntries?: number;
}

export interface Resolver extends Dns {
  /** Forgets all answers. */
  clear(): void;
  /** Gives up what is under way; look-ups fail from now on. */
  close(): void;
}

/**
 * A stub resolver with a cache (docs/decisions/dns-and-routing.md). Equal questions under way are asked once, at most 200 at a time.
 */
export function createDns(options: DnsOptions): Resolver {
  return new StubResolver(options);
}

class StubResolver implements Resolver {
  readonly #limitMs: number;
  readonly #dnssec: boolean;
  readonly #asker: ServerAsker;
  readonly #cache: AnswerCache;
  readonly #metrics: DnsMetrics;
  readonly #turns = new Turns({ most: 200, mostWaiting: 10_000 });
  readonly #underway = new Map<string, Promise<Answer>>();
  /** What ends a look-up that runs. */
  readonly #ends = new Set<AbortController>();
  #closed = false;

  constructor({ servers, trustAuthentic, clock, metrics, limitMs, maxEntries }: DnsOptions) {
    if (servers.length === 0) throw new RangeError('no name servers');
    this.#limitMs = limitMs ?? 10_000;
    // One that isn't trusted among them could be asked first by whoever silences the others; so it is all of them or none.
    this.#dnssec = trustAuthentic || servers.every(({ host }) => isLoopbackHost(host));
    this.#cache = new AnswerCache({
      ...(maxEntries !== undefined && { maxEntries }),
      monotonicMs: () => clock.monotonicMs(),
    });
    this.#metrics = dnsMetrics(metrics, {
      entries: () => this.#cache.size,
      bytes: () => this.#cache.bytes,
      underway: () => this.#turns.size,
    });
    this.#asker = new ServerAsker({ servers, dnssec: this.#dnssec, metrics: this.#metrics });
  }

  async mx(name: string, options?: LookupOptions): ReturnType<Dns['mx']> {
    return only(await this.#ask(name, 'MX', options), (data) =>
      data.type === 'MX' ? { preference: data.preference, exchange: data.exchange } : undefined,
    );
  }

  async addresses(
    name: string,
    families: readonly AddressFamily[],
    options?: LookupOptions,
  ): ReturnType<Dns['addresses']> {
    const results = await Promise.all(families.map((family) => this.#ask(name, recordTypes[family], options)));
    return joined(results.map((result) => only(result, addressOf)));
  }

  async txt(name: string, options?: LookupOptions): ReturnType<Dns['txt']> {
    return only(await this.#ask(name, 'TXT', options), (data) => (data.type === 'TXT' ? data.text : undefined));
  }

  async tlsa(name: string, options?: LookupOptions): ReturnType<Dns['tlsa']> {
    return only(await this.#ask(name, 'TLSA', options), (data) => {
      if (data.type !== 'TLSA') return undefined;
      const { usage, selector, matchingType } = data;
      return { usage, selector, matchingType, data: data.data };
    });
  }

  clear(): void {
    this.#cache.clear();
  }

  close(): void {
    this.#closed = true;
    for (const end of this.#ends) end.abort();
  }

  #ask(text: string, type: RecordTypeName, { signal }: LookupOptions = {}): Promise<Answer> {
    const name = normaliseName(text);
    if (name === undefined) return Promise.resolve(noName);
    const key = `${type} ${name}`;
    const cached = this.#cache.fresh(key);
    if (cached !== undefined) {
      this.#metrics.lookups.inc({ result: 'hit' });
      return Promise.resolve(cached);
    }
    let answer = this.#underway.get(key);
    this.#metrics.lookups.inc({ result: answer === undefined ? 'miss' : 'joined' });
    if (answer === undefined) {
      answer = this.#find(key, { name, type }).finally(() => this.#underway.delete(key));
      this.#underway.set(key, answer);
    }
    return signal === undefined ? answer : unlessAborted(answer, signal);
  }

  /** For all who ask, so it isn't tied to the signal of one of them. */
  async #find(key: string, question: { name: string; type: RecordTypeName }): Promise<Answer> {
    const end = new AbortController();
    if (this.#closed) end.abort();
    this.#ends.add(end);
    const timer = setTimeout(() => end.abort(), this.#limitMs);
    try {
      return await this.#inTurn(key, question, { deadlineMs: performance.now() + this.#limitMs, signal: end.signal });
    } finally {
      clearTimeout(timer);
      this.#ends.delete(end);
    }
  }

  async #inTurn(
    key: string,
    question: { name: string; type: RecordTypeName },
    limits: { deadlineMs: number; signal: AbortSignal },
  ): Promise<Answer> {
    const endTurn = await this.#turns.take(limits.signal);
    if (endTurn === undefined) {
      this.#metrics.lookups.inc({ result: 'overload' });
      return unknown({ kind: 'timeout', detail: 'too many look-ups are under way' }, 0);
    }
    try {
      return this.#kept(key, await lookUp(this.#asker, question, { dnssec: this.#dnssec, ...limits }));
    } finally {
      endTurn();
    }
  }

  #kept(key: string, answer: Answer): Answer {
    const old = answer.kind === 'found' || isAbsent(answer) ? undefined : this.#cache.stale(key);
    if (old === undefined) return this.#cache.keep(key, answer);
    this.#metrics.lookups.inc({ result: 'stale' });
    return old;
  }
}

const recordTypes = { ipv4: 'A', ipv6: 'AAAA' } as const;

const noName: Answer = { kind: 'nxdomain', detail: 'not a domain name', ttlMs: 24 * 3_600_000, secure: false };

function addressOf(data: RecordData): Address | undefined {
  if (data.type === 'A') return { family: 'ipv4', address: data.address };
  return data.type === 'AAAA' ? { family: 'ipv6', address: data.address } : undefined;
}

function only<T>(answer: Answer, pick: (data: RecordData) => T | undefined): DnsResult<T> {
  if (answer.kind !== 'found') return answer;
  return { ...answer, records: answer.records.map(pick).filter((record) => record !== undefined) };
}

function joined(results: readonly DnsResult<Address>[]): DnsResult<Address> {
  const ttlMs = Math.min(...results.map((result) => result.ttlMs));
  const found = results.filter((result) => result.kind === 'found');
  const [first] = found;
  if (first !== undefined) {
    const secure = found.every((result) => result.secure);
    return { ...first, records: found.flatMap(({ records }) => records), ttlMs, secure };
  }
  const failures = results.filter((result) => result.kind !== 'found');
  const worst =
    failures.find((result) => !isAbsent(result)) ?? failures.find(({ kind }) => kind === 'nodata') ?? failures[0];
  if (worst === undefined)
    return { kind: 'nodata', detail: 'no family of addresses was asked for', ttlMs: 0, secure: false };
  return { ...worst, ttlMs, secure: failures.every(({ secure }) => secure) };
}
