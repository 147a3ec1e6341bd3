import type { Blobs } from '../../../libs/blobs/port.ts';
import { addedFields } from '../../../libs/mail/trace.ts';
import type { Body } from '../../../libs/store/ports/spool.ts';
import { deliveryLimits } from './limits.ts';

/** What is parsed of a message: the received bytes with what was added to their header; of one past the limit only the beginning. */
export async function readForParsing(
  { body, trace }: { body: Body; trace: string },
  blobs: Blobs,
): Promise<Uint8Array> {
  const added = addedFields(trace);
  if (body.kind === 'inline') return added === '' ? body.bytes : Buffer.concat([Buffer.from(added), body.bytes]);
  const chunks: Uint8Array[] = [Buffer.from(added)];
  for await (const chunk of blobs.read(body.ref, { start: 0, end: deliveryLimits.parsedBytes })) chunks.push(chunk);
  return Buffer.concat(chunks);
}
