import { ContentUnfit, DotStuffer } from './dot-stuffing.ts';
import type { OutgoingMessage } from './envelope.ts';
import type { TimeLimits } from './time-limits.ts';
import type { Wire } from './wire.ts';

export interface BodyRequest {
  wire: Wire;
  message: OutgoingMessage;
  sevenBit: boolean;
  limits: TimeLimits;
  /** Called just before the final dot goes: until then the server has no message. */
  onDot: () => void;
}

/**
 * Sends the message and its final dot, and waits where the connection takes no more. `answered`: the server has answered before the dot, which isn't sent then.
 * Rejects with the wire's failure, with what the body's source throws, and with {@link ContentUnfit}.
 */
export async function sendBody(request: BodyRequest): Promise<'sent' | 'answered'> {
  const { wire, message, limits } = request;
  const stuffer = new DotStuffer({ sevenBit: request.sevenBit });
  const body = message.body();
  let sentBytes = 0;
  for await (const piece of Buffer.isBuffer(body) ? pieces(body) : whileUnanswered(body, wire, limits.dataBlock)) {
    sentBytes += piece.length;
    if (sentBytes > message.sizeBytes) break;
    const stuffed = stuffer.push(piece);
    // The last piece of a body of known length goes with its dot, in one write.
    if (Buffer.isBuffer(body) && sentBytes === body.length) return end(request, sentBytes, [stuffed, stuffer.end()]);
    if (!wire.write(stuffed)) await wire.room('data', limits.dataBlock);
    if (wire.answered) break;
  }
  return end(request, sentBytes, [stuffer.end()]);
}

function end({ wire, message, onDot }: BodyRequest, sentBytes: number, last: Buffer[]): 'sent' | 'answered' {
  if (wire.answered) return 'answered';
  if (wire.failure) throw wire.failure;
  // A source that ends too early must not make a whole message of a part.
  if (sentBytes !== message.sizeBytes) throw new ContentUnfit('size');
  onDot();
  wire.write(Buffer.concat(last));
  return 'sent';
}

const pieceBytes = 64 * 1024;

function* pieces(body: Buffer): Generator<Buffer> {
  for (let at = 0; at < body.length; at += pieceBytes) yield body.subarray(at, at + pieceBytes);
}

/** The pieces until the server answers. Rejects when the wire fails, or when the source gives nothing for so long. */
async function* whileUnanswered(source: AsyncIterable<Buffer>, wire: Wire, limitMs: number): AsyncGenerator<Buffer> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await wire.meanwhile(inTime(iterator.next(), limitMs));
      if (next === 'answered' || next.done) return;
      yield next.value;
    }
  } finally {
    // Not awaited: a source that hangs would keep the session.
    iterator.return?.().catch(() => undefined);
  }
}

async function inTime<T>(work: Promise<T>, limitMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new BodyStalled(limitMs)), limitMs);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The source of the message has given nothing for too long. */
class BodyStalled extends Error {
  override readonly name = 'BodyStalled';

  constructor(limitMs: number) {
    super(`nothing of the message came within ${limitMs} ms`);
  }
}
