import { Gauge, type Registry } from 'prom-client';
import type { Blobs } from '../../../libs/blobs/port.ts';
import { problem } from '../../../libs/http/problem.ts';
import { ParsePoolFullError } from '../../../libs/mail/parse-pool/job-queue.ts';
import { rawPrefix } from '../../../libs/mail/trace.ts';
import { HeldBytes } from '../../../libs/runtime/held-bytes.ts';
import type { Mailboxes, MessageRow } from '../../../libs/store/ports/mailboxes.ts';

/** The bytes of stored messages: streamed when they are sent as they are, gathered (within a cap for the whole process) when they must be parsed. */
export interface RawMessages {
  open(
    accountId: string,
    id: string,
  ): Promise<{ message: MessageRow; sizeBytes: number; bytes: AsyncIterable<Uint8Array> }>;
  /** Runs `use` on the whole message; `overloaded` (503) when too many bytes are held already. */
  withWhole<T>(accountId: string, id: string, use: (message: MessageRow, raw: Buffer) => Promise<T>): Promise<T>;
}

/** All messages that are held whole at one time; one of the largest size always fits. */
const maxHeldBytes = 128 * 1024 * 1024;

export function rawMessages({
  mailboxes,
  blobs,
  metrics,
}: {
  mailboxes: Mailboxes;
  blobs: Blobs;
  metrics: Registry;
}): RawMessages {
  const held = new HeldBytes({ totalBytes: maxHeldBytes, perHolderBytes: maxHeldBytes });
  new Gauge({
    name: 'waypost_mailbox_whole_message_bytes',
    help: 'Bytes of messages that are held whole for readers.',
    registers: [metrics],
    collect() {
      this.set(held.bytes);
    },
  });

  async function open(accountId: string, id: string) {
    const { message, trace, reversePath, body } = await mailboxes.raw(accountId, id);
    const prefix = message.blobId.startsWith(appendedPrefix) ? Buffer.alloc(0) : rawPrefix(reversePath, trace);
    const rest: AsyncIterable<Uint8Array> | readonly Uint8Array[] =
      body.kind === 'inline' ? [body.bytes] : blobs.read(body.ref);
    return { message, sizeBytes: message.sizeBytes, bytes: joined(prefix, rest) };
  }

  return {
    open,
    async withWhole(accountId, id, use) {
      const { message, sizeBytes, bytes } = await open(accountId, id);
      const hold = held.hold(accountId);
      if (hold.grow(sizeBytes) !== 'room') throw problem('overloaded', undefined, { headers: { 'retry-after': '1' } });
      try {
        const chunks: Uint8Array[] = [];
        for await (const chunk of bytes) chunks.push(chunk);
        return await use(message, Buffer.concat(chunks));
      } catch (error) {
        if (error instanceof ParsePoolFullError)
          throw problem('overloaded', undefined, { headers: { 'retry-after': '1' } });
        throw error;
      } finally {
        hold.release();
      }
    },
  };
}

/** A message that was never delivered (a draft, an upload) has no trace and no Return-Path. */
const appendedPrefix = 'append:';

async function* joined(
  prefix: Buffer,
  rest: AsyncIterable<Uint8Array> | readonly Uint8Array[],
): AsyncGenerator<Uint8Array> {
  if (prefix.length > 0) yield prefix;
  yield* rest;
}
