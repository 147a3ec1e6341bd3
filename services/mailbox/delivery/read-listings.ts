import type { Blobs } from '../../../libs/blobs/port.ts';
import type { Listing } from '../../../libs/mail/parse-pool/listing.ts';
import { ParsePoolFullError } from '../../../libs/mail/parse-pool/job-queue.ts';
import type { ParsePool } from '../../../libs/mail/parse-pool/parse-pool.ts';
import { rawPrefixBytes } from '../../../libs/mail/trace.ts';
import type { Spool, SpooledMessage } from '../../../libs/store/ports/spool.ts';
import { isStoreTrouble } from '../../../libs/store/errors.ts';
import type { ByteBudget } from '../../../libs/runtime/byte-budget.ts';
import { deliveryLimits } from './limits.ts';
import { readForParsing } from './read-body.ts';

/** What a delivery needs of a message: the bytes themselves are let go as soon as they are parsed. */
export interface ReadMessage {
  listing: Listing;
  /** Of raw: Return-Path, trace and body. */
  sizeBytes: number;
}

export interface ReadListingsDeps {
  spool: Spool;
  blobs: Blobs;
  parsePool: ParsePool;
  budget: ByteBudget;
}

/**
 * Reads and parses each message once, however many of the rows are its copies. Bodies are held a few megabytes at a time. A message whose body can't be
 * read is answered with the error, the others aren't touched by it; trouble of the store itself rejects.
 */
export async function readListings(
  messages: readonly { messageId: string; sizeBytes: number }[],
  deps: ReadListingsDeps,
  signal: AbortSignal,
): Promise<Map<string, ReadMessage | Error>> {
  const read = new Map<string, ReadMessage | Error>();
  for (const portion of portions(messages)) {
    const bytes = portion.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    await deps.budget.run(bytes, signal, () => readOrSplit(portion, deps, signal, read));
  }
  return read;
}

/** When a portion fails as a whole its messages are read one by one, so that the one to blame fails alone. */
async function readOrSplit(
  portion: readonly { messageId: string }[],
  deps: ReadListingsDeps,
  signal: AbortSignal,
  read: Map<string, ReadMessage | Error>,
): Promise<void> {
  try {
    await readPortion(portion, deps, signal, read);
  } catch (error) {
    if (signal.aborted || isStoreTrouble(error) || error instanceof ParsePoolFullError || !(error instanceof Error))
      throw error;
    const [only, ...others] = portion;
    if (only === undefined || others.length === 0) {
      if (only !== undefined) read.set(only.messageId, error);
      return;
    }
    for (const message of portion) await readOrSplit([message], deps, signal, read);
  }
}

async function readPortion(
  portion: readonly { messageId: string }[],
  { spool, blobs, parsePool }: ReadListingsDeps,
  signal: AbortSignal,
  read: Map<string, ReadMessage | Error>,
): Promise<void> {
  const spooled = await spool.read(portion.map(({ messageId }) => messageId));
  const found: { message: SpooledMessage; bytes: Uint8Array }[] = [];
  for (const { messageId } of portion) {
    const message = spooled.get(messageId);
    const bytes = message === undefined ? new Error('the message is not in the spool') : await bodyOf(message, blobs);
    if (message === undefined || bytes instanceof Error)
      read.set(messageId, bytes instanceof Error ? bytes : new Error('no body'));
    else found.push({ message, bytes });
  }
  const listings = await parsePool.summaries(
    found.map(({ bytes }) => bytes),
    signal,
    { search: true },
  );
  for (const [index, { message }] of found.entries()) {
    const listing = listings[index];
    const { messageId, envelope, trace } = message;
    if (listing === undefined) read.set(messageId, new Error('the parser gave no answer'));
    else read.set(messageId, { listing, sizeBytes: rawPrefixBytes(envelope.reversePath, trace) + message.sizeBytes });
  }
}

async function bodyOf(message: SpooledMessage, blobs: Blobs): Promise<Uint8Array | Error> {
  try {
    return await readForParsing(message, blobs);
  } catch (error) {
    if (isStoreTrouble(error) || !(error instanceof Error)) throw error;
    return error;
  }
}

/** Groups of messages that are read at once. */
function* portions<T extends { messageId: string; sizeBytes: number }>(messages: readonly T[]): Generator<T[]> {
  const once = new Map(messages.map((message) => [message.messageId, message]));
  let portion: T[] = [];
  let bytes = 0;
  for (const message of once.values()) {
    if (portion.length > 0 && bytes + message.sizeBytes > deliveryLimits.bytesPerRead) {
      yield portion;
      portion = [];
      bytes = 0;
    }
    portion.push(message);
    bytes += message.sizeBytes;
  }
  if (portion.length > 0) yield portion;
}
