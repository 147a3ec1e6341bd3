import type { SearchEntry } from '../../../libs/store/ports/mailboxes.ts';

export interface IndexQueueCaps {
  /** Of all entries together: a token takes about 40 bytes. */
  tokens: number;
  /** Of one batch. */
  batchEntries: number;
  batchTokens: number;
}

/** Entries that wait for their place in the search, bounded by the number of their tokens. */
export class IndexQueue {
  readonly #caps: IndexQueueCaps;
  #entries: SearchEntry[] = [];
  #tokens = 0;

  constructor(caps: IndexQueueCaps) {
    this.#caps = caps;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** True when a whole batch is there. */
  get full(): boolean {
    return this.#entries.length >= this.#caps.batchEntries || this.#tokens >= this.#caps.batchTokens;
  }

  /** False: there was no room. */
  add(entry: SearchEntry): boolean {
    const tokens = tokensOf(entry);
    if (this.#tokens + tokens > this.#caps.tokens) return false;
    this.#entries.push(entry);
    this.#tokens += tokens;
    return true;
  }

  takeBatch(): SearchEntry[] {
    let count = 0;
    let tokens = 0;
    for (const entry of this.#entries) {
      if (count === this.#caps.batchEntries || (count > 0 && tokens + tokensOf(entry) > this.#caps.batchTokens)) break;
      tokens += tokensOf(entry);
      count++;
    }
    this.#tokens -= tokens;
    const batch = this.#entries.slice(0, count);
    this.#entries = this.#entries.slice(count);
    return batch;
  }
}

const tokensOf = ({ from, to, subject, text }: SearchEntry): number =>
  from.length + to.length + subject.length + text.length;
