import type { Answer } from './look-up.ts';

export interface AnswerCacheOptions {
  /** Default 20,000. */
  maxEntries?: number;
  /** Default 16 MiB, by {@link weightOf}. */
  maxBytes?: number;
  monotonicMs: () => number;
}

/** TTLs below are raised: an answer with TTL 0 serves at least those who ask within a second. */
const minTtlMs = 1_000;
const maxTtlMs = 24 * 3_600_000;
/** How long after its TTL an answer may be used while the servers are away (RFC 8767). */
const staleMs = 60 * 60_000;
/** How long the servers are left alone before the next try, meanwhile (RFC 8767 §5). */
const staleTtlMs = 30_000;

/** Answers by question, each for its TTL. The one used least recently goes first when there are too many of them or when they are too large. */
export class AnswerCache {
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #monotonicMs: () => number;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(options: AnswerCacheOptions) {
    this.#maxEntries = options.maxEntries ?? 20_000;
    this.#maxBytes = options.maxBytes ?? 16 * 1024 * 1024;
    this.#monotonicMs = options.monotonicMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** With the TTL that is left. */
  fresh(key: string): Answer | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const leftMs = entry.goodUntilMs - this.#monotonicMs();
    if (leftMs <= 0) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return { ...entry.answer, ttlMs: leftMs };
  }

  /**
   * What was found before, while nothing better is to be had. An answer that was validated is not used past its time: whoever cuts us off from the servers
   * could else keep an old key in use, and without the mark of validation the mail would go unprotected.
   */
  stale(key: string): Answer | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.answer.kind !== 'found' || entry.answer.secure) return undefined;
    const nowMs = this.#monotonicMs();
    if (nowMs - entry.endedMs > staleMs) return undefined;
    entry.goodUntilMs = nowMs + staleTtlMs;
    return { ...entry.answer, ttlMs: staleTtlMs };
  }

  /** The answer with the TTL that counts. */
  keep(key: string, answer: Answer): Answer {
    const ttlMs = Math.min(Math.max(answer.ttlMs, minTtlMs), maxTtlMs);
    const bytes = weightOf(key, answer);
    if (bytes <= this.#maxBytes) {
      this.#forget(key);
      const endedMs = this.#monotonicMs() + ttlMs;
      this.#entries.set(key, { answer, endedMs, goodUntilMs: endedMs, bytes });
      this.#bytes += bytes;
    }
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries && this.#bytes <= this.#maxBytes) break;
      this.#forget(oldest);
    }
    return { ...answer, ttlMs };
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}

interface Entry {
  answer: Answer;
  /** When its TTL ends. */
  endedMs: number;
  /** Later than that where it is used stale. */
  goodUntilMs: number;
  bytes: number;
}

/** About what it takes in memory. */
function weightOf(key: string, answer: Answer): number {
  const base = 200 + 2 * key.length;
  if (answer.kind !== 'found') return base + answer.detail.length;
  return answer.records.reduce((sum, record) => {
    if (record.type === 'TXT') return sum + 100 + record.text.length;
    return sum + (record.type === 'TLSA' ? 200 + record.data.length : 200);
  }, base);
}
