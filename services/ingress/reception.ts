import type { Blobs } from '../../libs/blobs/port.ts';
import { DataScanner } from '../../libs/smtp/data-scanner.ts';
import { type Reply, reply } from '../../libs/smtp/reply.ts';
import { StoreFull } from '../../libs/store/errors.ts';
import { BodyCollector, type CollectedBody, type CollectorFault } from './body-collector.ts';
import type { DataMemory } from './data-memory.ts';
import type { IngressLimits } from './limits.ts';
import { tooLarge } from './mail-command.ts';

export interface ReceptionDeps {
  limits: IngressLimits;
  maxMessageBytes: number;
  dataMemory: DataMemory;
  blobs: Blobs;
}

/** What a chunk has brought: more is to come, the data has ended (`rest` is what the client has sent after it), or it never will in reason. */
export type Received =
  | { state: 'more'; wait?: Promise<void> }
  | { state: 'ended'; rest: Buffer }
  | { state: 'endless' };

/** The data of one message on its way in: from the 354 to the reply, or to the loss of the connection. */
export class Reception {
  readonly #deps: ReceptionDeps;
  readonly #scanner: DataScanner;
  readonly #collector: BodyCollector;

  /** Undefined when there is no memory for one more message. */
  static open(deps: ReceptionDeps): Reception | undefined {
    const { dataMemory: memory, blobs, limits } = deps;
    const collector = BodyCollector.open({ memory, blobs, maxHeaderBytes: limits.maxHeaderBytes });
    return collector && new Reception(deps, collector);
  }

  private constructor(deps: ReceptionDeps, collector: BodyCollector) {
    this.#deps = deps;
    this.#collector = collector;
    this.#scanner = new DataScanner({
      maxMessageBytes: deps.maxMessageBytes,
      maxLineBytes: deps.limits.maxDataLineBytes,
    });
  }

  take(chunk: Buffer): Received {
    const { content, rest } = this.#scanner.push(chunk);
    const wait = content && this.#collector.push(content);
    if (rest) return { state: 'ended', rest };
    // Past the limit the data is only read for its end; a client that goes on and on isn't waited for.
    if (this.#scanner.sizeBytes > 2 * this.#deps.maxMessageBytes + chunk.length) return { state: 'endless' };
    return wait ? { state: 'more', wait } : { state: 'more' };
  }

  /** Why the message can't be accepted as it came; undefined when nothing speaks against it. */
  fault(): Reply | undefined {
    const { flaw } = this.#scanner;
    if (flaw)
      return flaw.kind === 'tooLarge' ? tooLarge(this.#deps.maxMessageBytes) : flawReplies[flaw.kind](flaw.line);
    return this.#collector.fault && this.#collectorFault(this.#collector.fault);
  }

  get header(): Buffer {
    return this.#collector.header;
  }

  /** Rejects with what the blob store rejects with. */
  finish(): Promise<CollectedBody> {
    return this.#collector.finish();
  }

  /** Gives back what it holds; what wasn't finished is gone. */
  release(): void {
    this.#collector.release();
  }

  #collectorFault(fault: CollectorFault): Reply {
    if (fault.kind === 'longHeader')
      return reply(552, '5.3.4', `The header section is longer than ${this.#deps.limits.maxHeaderBytes} octets`);
    if (fault.kind === 'noMemory' || fault.error instanceof StoreFull) return noRoom;
    return reply(451, '4.3.0', 'The message could not be stored, try again later');
  }
}

export const noRoom = reply(452, '4.3.1', 'No room for messages now, try again later');

const flawReplies = {
  bareCr: (line: number) =>
    reply(550, '5.6.0', `Bare CR in line ${line} of the message: lines end in CRLF (RFC 5321 section 2.3.8)`),
  bareLf: (line: number) =>
    reply(550, '5.6.0', `Bare LF in line ${line} of the message: lines end in CRLF (RFC 5321 section 2.3.8)`),
  longLine: (line: number) => reply(554, '5.6.0', `Line ${line} of the message is too long`),
} as const;
