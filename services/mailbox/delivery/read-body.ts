import type { Blobs } from '../../../libs/blobs/port.ts';
import type { Body } from '../../../libs/store/ports/spool.ts';
import { deliveryLimits } from './limits.ts';

/** The received bytes, for parsing: of a message past the limit only its beginning. */
export async function readBody(body: Body, blobs: Blobs): Promise<Uint8Array> {
  if (body.kind === 'inline') return body.bytes;
  const chunks: Uint8Array[] = [];
  for await (const chunk of blobs.read(body.ref, { start: 0, end: deliveryLimits.parsedBytes })) chunks.push(chunk);
  return Buffer.concat(chunks);
}
