import { hash } from 'node:crypto';
import { type Blobs, inlineLimitBytes } from '../../libs/blobs/port.ts';
import type { Body } from '../../libs/store/ports/spool.ts';
import { ByteChannel, WriterGone } from './byte-channel.ts';
import type { DataMemory } from './data-memory.ts';

/** Memory that a message takes at its start, and what one keeps that streams to the blob store. */
const startBytes = 16 * 1024;

/** Why a message can't be kept; the rest of its data is read and dropped. */
export type CollectorFault = { kind: 'longHeader' } | { kind: 'noMemory' } | { kind: 'store'; error: unknown };

export interface CollectedBody {
  body: Body;
  sizeBytes: number;
  sha256: string;
}

/**
 * Collects the octets of one message: in memory up to the inline limit, then (or when memory for all messages is short) in the blob store. The header section
 * stays at hand in either case. Holds memory from `open` to `release`.
 */
export class BodyCollector {
  readonly #memory: DataMemory;
  readonly #blobs: Blobs;
  readonly #maxHeaderBytes: number;
  #heldBytes = startBytes;
  /** The octets so far, while they are in memory; `#length` of them are used. */
  #bytes: Buffer = Buffer.alloc(0);
  #length = 0;
  /** Of the header section, once its end was seen. */
  #headerLength: number | undefined;
  /** A copy of it, once the octets have left the memory. */
  #header: Buffer | undefined;
  #searchedTo = 0;
  #stream: { channel: ByteChannel; stored: ReturnType<Blobs['put']>; abort: AbortController } | undefined;
  /** The move from memory to the blob store, which goes on when the last octets have already come. */
  #spilled: Promise<void> | undefined;
  #fault: CollectorFault | undefined;
  #released = false;

  /** Undefined when there is no memory for one more message. */
  static open(deps: { memory: DataMemory; blobs: Blobs; maxHeaderBytes: number }): BodyCollector | undefined {
    return deps.memory.take(startBytes) ? new BodyCollector(deps) : undefined;
  }

  private constructor({ memory, blobs, maxHeaderBytes }: { memory: DataMemory; blobs: Blobs; maxHeaderBytes: number }) {
    this.#memory = memory;
    this.#blobs = blobs;
    this.#maxHeaderBytes = maxHeaderBytes;
  }

  get fault(): CollectorFault | undefined {
    return this.#fault;
  }

  /** The header section with the CRLF of its last line; all there is when no blank line came. */
  get header(): Buffer {
    return this.#header ?? this.#bytes.subarray(0, this.#headerLength ?? this.#length);
  }

  /** Takes the next octets; the promise, when there is one, asks the sender to wait. */
  push(content: Buffer): Promise<void> | undefined {
    if (this.#fault || content.length === 0) return undefined;
    if (this.#stream) return this.#stream.channel.push(content);
    if (!this.#makeRoom(content)) {
      if (!this.#fault) this.#spilled = this.#spill(content);
      return this.#spilled;
    }
    this.#findHeaderEnd();
    return undefined;
  }

  /** The body is complete. Rejects with what the blob store rejects with, or WriterGone after `release`; must not be called after a fault. */
  async finish(): Promise<CollectedBody> {
    // The client went away while something else was waited for: what is left here is not its message.
    if (this.#released) throw new WriterGone();
    if (!this.#stream) {
      const bytes = this.#bytes.subarray(0, this.#length);
      return { body: { kind: 'inline', bytes }, sizeBytes: bytes.length, sha256: hash('sha256', bytes, 'hex') };
    }
    // The chunk that filled the memory can be the last one: an end before it is handed over would cut it off.
    await this.#spilled;
    this.#stream.channel.end();
    const { ref, sizeBytes, sha256 } = await this.#stream.stored;
    return { body: { kind: 'blob', ref }, sizeBytes, sha256 };
  }

  /** Gives the memory back and stops what is being stored. */
  release(): void {
    this.#released = true;
    this.#stream?.channel.abort();
    this.#stream?.abort.abort();
    this.#bytes = Buffer.alloc(0);
    this.#memory.give(this.#heldBytes);
    this.#heldBytes = 0;
  }

  /** Adds the octets to those in memory. False when they don't fit, or with a fault. */
  #makeRoom(content: Buffer): boolean {
    const length = this.#length + content.length;
    if (length > inlineLimitBytes) return this.#mayStream(content);
    if (this.#length === 0 && content.length <= this.#heldBytes) {
      // Most messages come in one chunk, and need no copy.
      this.#bytes = content;
      this.#length = length;
      return true;
    }
    if (length > this.#bytes.length) {
      const capacity = Math.min(inlineLimitBytes, Math.max(startBytes, 2 ** Math.ceil(Math.log2(length))));
      if (!this.#hold(capacity)) return this.#mayStream(content);
      const larger = Buffer.allocUnsafeSlow(capacity);
      this.#bytes.copy(larger, 0, 0, this.#length);
      this.#bytes = larger;
    }
    content.copy(this.#bytes, this.#length);
    this.#length = length;
    return true;
  }

  #hold(bytes: number): boolean {
    const more = bytes - this.#heldBytes;
    if (more > 0) {
      if (!this.#memory.take(more)) return false;
      this.#heldBytes = bytes;
    }
    return true;
  }

  /** Always false: what couldn't be kept in memory streams from here on, which it may once the header section is known. */
  #mayStream(content: Buffer): false {
    if (this.#headerLength !== undefined) return false;
    const seen = Buffer.concat([this.#bytes.subarray(0, this.#length), content]);
    this.#headerLength = headerLength(seen, 0);
    if (this.#headerLength === undefined) {
      this.#fault = seen.length > this.#maxHeaderBytes ? { kind: 'longHeader' } : { kind: 'noMemory' };
    } else {
      this.#header = Buffer.from(seen.subarray(0, this.#headerLength));
      this.#limitHeader(this.#headerLength);
    }
    return false;
  }

  #findHeaderEnd(): void {
    if (this.#headerLength !== undefined) return;
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#headerLength = headerLength(bytes, this.#searchedTo);
    this.#searchedTo = Math.max(0, bytes.length - 3);
    this.#limitHeader(this.#headerLength ?? this.#length);
  }

  #limitHeader(bytes: number): void {
    if (bytes > this.#maxHeaderBytes) this.#fault = { kind: 'longHeader' };
  }

  async #spill(content: Buffer): Promise<void> {
    const first = this.#bytes.subarray(0, this.#length);
    this.#header ??= Buffer.from(this.header);
    this.#bytes = Buffer.alloc(0);
    const channel = new ByteChannel();
    const abort = new AbortController();
    const stored = this.#blobs.put(channel, abort.signal);
    stored.catch((error: unknown) => {
      this.#fault ??= { kind: 'store', error };
      channel.close();
    });
    this.#stream = { channel, stored, abort };
    if (first.length > 0) await channel.push(first);
    this.#keepOnly(startBytes + this.#header.length);
    await channel.push(content);
  }

  #keepOnly(bytes: number): void {
    if (this.#heldBytes <= bytes) return;
    this.#memory.give(this.#heldBytes - bytes);
    this.#heldBytes = bytes;
  }
}

/** Of the header section with the CRLF of its last line; undefined when its end isn't there. */
function headerLength(bytes: Buffer, from: number): number | undefined {
  if (bytes.length >= 2 && bytes[0] === 13 && bytes[1] === 10) return 0;
  const at = bytes.indexOf(blankLine, from);
  return at === -1 ? undefined : at + 2;
}

const blankLine = Buffer.from('\r\n\r\n');
