import type { Blobs } from '../../../libs/blobs/port.ts';
import { contentTraits } from '../../../libs/mail/convert/content-traits.ts';
import type { CannotConvert, SevenBitResult } from '../../../libs/mail/convert/to-seven-bit.ts';
import type { Signer } from '../../../libs/mail/dkim/signer.ts';
import type { ByteBudget } from '../../../libs/runtime/byte-budget.ts';
import type { SpooledMessage } from '../../../libs/store/ports/spool.ts';
import type { DeliveryMetrics } from '../metrics.ts';

/** The content of a message as it goes to one server. */
export interface Content {
  sizeBytes: number;
  body: () => Buffer | AsyncIterable<Buffer>;
  eightBit: boolean;
  smtputf8: boolean;
}

export type Prepared = { content: Content } | { cannotConvert: CannotConvert };

export interface PrepareDeps {
  blobs: Blobs;
  /** For what must be in memory as a whole. */
  budget: ByteBudget;
  convert: (message: Buffer, signal: AbortSignal) => Promise<SevenBitResult>;
  sign: Signer['sign'];
  metrics: Pick<DeliveryMetrics, 'converted'>;
}

/**
 * Hands `use` a message as it is sent: our trace and the received bytes, without Return-Path (which is made at final delivery, RFC 5321 §4.4), made 7-bit first where the
 * server needs that, then signed. A large one goes through in pieces, and is in memory as a whole only to be made 7-bit. Rejects with what reading or signing it rejects with.
 */
export async function withContent<T>(
  message: SpooledMessage,
  peer: { eightBitMime: boolean },
  deps: PrepareDeps,
  signal: AbortSignal,
  use: (prepared: Prepared) => Promise<T>,
): Promise<T> {
  const { body, trace } = message;
  const prefix = Buffer.from(trace, 'utf8');
  if (body.kind === 'inline') {
    const whole = Buffer.concat([prefix, body.bytes]);
    const traits = contentTraits(whole);
    if (peer.eightBitMime || !traits.eightBit) return use(await signed(message, whole, traits, deps, signal));
    return converted(message, whole, deps, signal, use);
  }
  const { ref } = body;
  const head = Buffer.concat([prefix, ...(await chunksOf(deps.blobs.read(ref, { start: 0, end: headBytes })))]);
  const { utf8Header } = contentTraits(head);
  const source = (): AsyncIterable<Buffer> => inPieces([prefix], deps.blobs.read(ref));
  if (peer.eightBitMime) {
    // Nothing is lost when a 7-bit message is said to be 8-bit.
    const { header } = await signature(message, source(), deps, signal);
    const sizeBytes = header.length + prefix.length + message.sizeBytes;
    const pieces = (): AsyncIterable<Buffer> => inPieces([header, prefix], deps.blobs.read(ref));
    return use({ content: { sizeBytes, body: pieces, eightBit: true, smtputf8: utf8Header } });
  }
  // As received, as converted, and what the conversion holds meanwhile.
  return deps.budget.run(message.sizeBytes * 3, signal, async () => {
    const whole = Buffer.concat(await chunksOf(source()));
    const traits = contentTraits(whole);
    if (!traits.eightBit) return use(await signed(message, whole, traits, deps, signal));
    return converted(message, whole, deps, signal, use);
  });
}

async function converted<T>(
  message: SpooledMessage,
  whole: Buffer,
  deps: PrepareDeps,
  signal: AbortSignal,
  use: (prepared: Prepared) => Promise<T>,
): Promise<T> {
  const result = await deps.convert(whole, signal);
  deps.metrics.converted.inc({ result: result.ok ? 'ok' : result.reason });
  if (!result.ok) return use({ cannotConvert: result.reason });
  return use(await signed(message, result.message, { eightBit: false, utf8Header: false }, deps, signal));
}

async function signed(
  message: SpooledMessage,
  bytes: Buffer,
  { eightBit, utf8Header }: { eightBit: boolean; utf8Header: boolean },
  deps: PrepareDeps,
  signal: AbortSignal,
): Promise<Prepared> {
  const { header } = await signature(message, bytes, deps, signal);
  const whole = header.length === 0 ? bytes : Buffer.concat([header, bytes]);
  return { content: { sizeBytes: whole.length, body: () => whole, eightBit, smtputf8: utf8Header } };
}

/** Only what our users and we ourselves have written is signed: From of what strangers wrote may name a domain of ours. */
async function signature(
  { envelope, source }: SpooledMessage,
  bytes: Buffer | AsyncIterable<Buffer>,
  { sign }: PrepareDeps,
  signal: AbortSignal,
): Promise<{ header: Buffer }> {
  const isOurs = source.accountId !== undefined || source.by === 'report';
  if (!isOurs) return { header: Buffer.alloc(0) };
  const result = await sign(bytes, { reversePath: envelope.reversePath, isOurs, signal });
  return 'header' in result ? result : { header: Buffer.alloc(0) };
}

/** Longer than any header section that is taken. */
const headBytes = 256 * 1024;

async function chunksOf(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all;
}

async function* inPieces(first: readonly Buffer[], chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  yield* first.filter(({ length }) => length > 0);
  for await (const chunk of chunks) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
}
