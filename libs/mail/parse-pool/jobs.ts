import { decodeTransfer } from '../mime/transfer-encoding.ts';
import { type ParsedMessage, parseMessage } from '../mime/parse-message.ts';
import { type Listing, readListing } from './listing.ts';

/** What a worker is asked. Bytes are handed over (transferred), not copied again. */
export type Job =
  | { kind: 'listings'; search: boolean; messages: Uint8Array<ArrayBuffer>; lengths: number[] }
  | { kind: 'message'; raw: Uint8Array<ArrayBuffer> }
  | { kind: 'part'; encoded: Uint8Array<ArrayBuffer>; encoding: string };

/** What it answers; one job at a time, so an answer needs no number. */
export type JobResult =
  | { kind: 'listings'; listings: Listing[] }
  | { kind: 'message'; message: ParsedMessage }
  | { kind: 'part'; bytes: Uint8Array<ArrayBuffer> };

/** What a thread says once, when it has loaded and its first job's time may begin to count. */
export type Ready = { kind: 'ready' };

/** Does a job in this thread. */
export function runJob(job: Job): JobResult {
  switch (job.kind) {
    case 'listings': {
      let at = 0;
      const listings = job.lengths.map((length) => {
        const raw = job.messages.subarray(at, at + length);
        at += length;
        return readListing(raw, { search: job.search });
      });
      return { kind: 'listings', listings };
    }
    case 'message':
      return { kind: 'message', message: readMessage(job.raw) };
    case 'part':
      return { kind: 'part', bytes: copied([decodeTransfer(job.encoded, job.encoding)]) };
  }
}

/** RFC 8621 §4.1.4: where bodies are read as text a line ends in LF, whatever it was on the wire. */
function readMessage(raw: Uint8Array): ParsedMessage {
  const message = parseMessage(raw);
  const { text, html } = message;
  return { ...message, text: text.replaceAll('\r\n', '\n'), html: html?.replaceAll('\r\n', '\n') };
}

/** Many byte arrays in one of its own memory, which can be transferred. */
export function copied(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
