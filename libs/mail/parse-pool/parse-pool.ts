import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EncodedPart } from '../mime/decode-part.ts';
import { decodePart } from '../mime/decode-part.ts';
import type { ParsedMessage } from '../mime/parse-message.ts';
import { copied, type Job } from './jobs.ts';
import { JobQueue, type JobQueueOptions } from './job-queue.ts';
import { type Listing, type ListingOptions, readListing, unreadListing } from './listing.ts';
import { ParseThreadLostError } from './parse-thread.ts';
import { unreadMessage } from './unread-message.ts';

export type ParsePoolOptions = JobQueueOptions & {
  /**
   * Messages up to this size are listed in the calling thread: that costs less than to hand them over, and the parser's limits bound it to a
   * few milliseconds. Default 32 KiB.
   */
  inlineBytes?: number;
};

/**
 * Parses mail without holding up the event loop: what is large or needs care runs in worker threads, started when first needed. A
 * message that takes too long or ends its thread is answered as unparsable, alone.
 * All methods reject with the signal's reason when it aborts, ParsePoolFullError when too much waits already (nothing was done: try
 * again later), ParsePoolClosedError after close.
 */
export class ParsePool {
  readonly #queue: JobQueue;
  readonly #inlineBytes: number;
  #unreadMessages = 0;

  constructor(options: ParsePoolOptions = {}) {
    this.#queue = new JobQueue(options);
    this.#inlineBytes = options.inlineBytes ?? 32 * 1024;
  }

  /** Summaries (and search tokens when asked for) in the order of `raws`. */
  async summaries(raws: readonly Uint8Array[], signal?: AbortSignal, options: ListingOptions = {}): Promise<Listing[]> {
    signal?.throwIfAborted();
    const large = raws.filter((raw) => raw.length > this.#inlineBytes);
    const listed = new Map<Uint8Array, Listing>();
    await Promise.all(batches(large).map((batch) => this.#listBatch(batch, listed, options, signal)));
    let turnEnds = performance.now() + TURN_MS;
    const listings: Listing[] = [];
    for (const raw of raws) {
      listings.push(listed.get(raw) ?? readListing(raw, options));
      if (performance.now() < turnEnds) continue;
      await nextTurn();
      signal?.throwIfAborted();
      turnEnds = performance.now() + TURN_MS;
    }
    return listings;
  }

  /** The whole message as it is shown. */
  async full(raw: Uint8Array, signal?: AbortSignal): Promise<ParsedMessage> {
    try {
      const result = await this.#queue.run(
        { bytes: raw.length, makeJob: () => ({ kind: 'message', raw: copied([raw]) }) },
        signal,
      );
      if (result.kind === 'message') return result.message;
      throw new ParseThreadLostError('crash');
    } catch (error) {
      if (!(error instanceof ParseThreadLostError)) throw error;
      this.#unreadMessages++;
      return unreadMessage();
    }
  }

  /** The decoded bytes of a part of `raw`. Rejects with ParseThreadLostError too. */
  async part(raw: Uint8Array, part: EncodedPart, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    const bytes = part.end - part.start;
    if (bytes <= MAX_INLINE_PART_BYTES) return decodePart(raw, part);
    const makeJob = (): Job => ({
      kind: 'part',
      encoded: copied([raw.subarray(part.start, part.end)]),
      encoding: part.encoding,
    });
    const result = await this.#queue.run({ bytes, makeJob }, signal);
    if (result.kind === 'part') return result.bytes;
    throw new ParseThreadLostError('crash');
  }

  /** For gauges: what waits now, and how many messages were given up on since the start. */
  stats(): { threads: number; waitingJobs: number; waitingBytes: number; unreadMessages: number } {
    return { ...this.#queue.stats(), unreadMessages: this.#unreadMessages };
  }

  /** Ends the threads; what is still asked for rejects. */
  close(): Promise<void> {
    return this.#queue.close();
  }

  /** A batch that is lost is tried again one by one, so that only the message to blame is given up on. */
  async #listBatch(
    batch: Uint8Array[],
    listed: Map<Uint8Array, Listing>,
    options: ListingOptions,
    signal?: AbortSignal,
  ): Promise<void> {
    const makeJob = (): Job => ({
      kind: 'listings',
      search: options.search ?? false,
      messages: copied(batch),
      lengths: batch.map((raw) => raw.length),
    });
    try {
      const result = await this.#queue.run({ bytes: totalBytes(batch), makeJob }, signal);
      if (result.kind !== 'listings') throw new ParseThreadLostError('crash');
      for (const [i, raw] of batch.entries()) listed.set(raw, result.listings[i] ?? unreadListing(options));
    } catch (error) {
      if (!(error instanceof ParseThreadLostError)) throw error;
      const [only, ...others] = batch;
      if (only && others.length === 0) {
        this.#unreadMessages++;
        listed.set(only, unreadListing(options));
        return;
      }
      for (const raw of batch) await this.#listBatch([raw], listed, options, signal);
    }
  }
}

/** How long one turn of the event loop may be kept. */
const TURN_MS = 5;
/** Decoding is about 1 ms for this. */
const MAX_INLINE_PART_BYTES = 256 * 1024;
const MAX_BATCH_BYTES = 4 * 1024 * 1024;
const MAX_BATCH_MESSAGES = 64;

function batches(raws: readonly Uint8Array[]): Uint8Array[][] {
  const all: Uint8Array[][] = [];
  let batch: Uint8Array[] = [];
  for (const raw of raws) {
    if (batch.length > 0 && (batch.length >= MAX_BATCH_MESSAGES || totalBytes(batch) + raw.length > MAX_BATCH_BYTES)) {
      all.push(batch);
      batch = [];
    }
    batch.push(raw);
  }
  return batch.length > 0 ? [...all, batch] : all;
}

function totalBytes(raws: readonly Uint8Array[]): number {
  return raws.reduce((sum, raw) => sum + raw.length, 0);
}
