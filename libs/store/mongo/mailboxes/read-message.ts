import { NotFound } from '../../errors.ts';
import type { Mailboxes, MessageRow, QuotaUse } from '../../ports/mailboxes.ts';
import { bodyOf } from '../queue/accept-document.ts';
import { durable } from '../transaction.ts';
import { asStoreErrors } from '../write-errors.ts';
import { liveMessage } from './change-message.ts';
import { type MailContext, openAccounts, readAccount } from './context.ts';
import { type MessageDocument, messageRow } from './documents.ts';

export function get(context: MailContext, accountId: string, id: string): Promise<MessageRow> {
  return readAccount(context, accountId, async (_, reads) =>
    messageRow(await liveMessage(reads, accountId, id, reads.session)),
  );
}

/** An appended message has no trace and no reverse-path. */
export function raw(context: MailContext, accountId: string, id: string): ReturnType<Mailboxes['raw']> {
  return readAccount(context, accountId, async (_, reads) => {
    const message = await liveMessage(reads, accountId, id, reads.session);
    const stored = await (message.kind === 'append' ? appendedBody(context, message) : spooledBody(context, message));
    if (stored === undefined) throw new NotFound('body');
    return { message: messageRow(message), ...stored };
  });
}

type Stored = Omit<Awaited<ReturnType<Mailboxes['raw']>>, 'message'>;

async function appendedBody({ database }: MailContext, { _id }: MessageDocument): Promise<Stored | undefined> {
  const found = await database.messageBodies.findOne({ _id }, { promoteBuffers: false });
  const body = found === null ? undefined : bodyOf(found);
  return body === undefined ? undefined : { trace: '', reversePath: '', body };
}

async function spooledBody({ database }: MailContext, { messageId }: MessageDocument): Promise<Stored | undefined> {
  const found = await database.accepts.findOne(
    { _id: messageId },
    { promoteBuffers: false, projection: { trace: 1, 'envelope.reversePath': 1, bytes: 1, blob: 1 } },
  );
  const body = found === null ? undefined : bodyOf(found);
  if (found === null || body === undefined) return undefined;
  return { trace: found.trace, reversePath: found.envelope.reversePath, body };
}

export function usage(
  { database: { mailAccounts } }: MailContext,
  accountIds: readonly string[],
): Promise<ReadonlyMap<string, QuotaUse>> {
  return asStoreErrors(false, async () => {
    const projection = { usedBytes: 1, usedMessages: 1, limitBytes: 1, limitMessages: 1 } as const;
    const found = await mailAccounts.find({ _id: { $in: [...accountIds] }, gone: null }, { projection }).toArray();
    return new Map(
      found.map(({ _id, usedBytes, usedMessages, limitBytes, limitMessages }) => [
        _id,
        { bytes: usedBytes, messages: usedMessages, limitBytes, limitMessages },
      ]),
    );
  });
}

export async function setQuota(
  { database }: MailContext,
  accountId: string,
  { bytes, messages }: { bytes: number | null; messages: number | null },
): Promise<void> {
  const open = await openAccounts(database, [accountId]);
  if (!open.has(accountId)) throw new NotFound('account');
  const { matchedCount } = await asStoreErrors(true, () =>
    database.mailAccounts.updateOne(
      { _id: accountId, gone: null },
      { $set: { limitBytes: bytes, limitMessages: messages } },
      { writeConcern: durable },
    ),
  );
  if (matchedCount === 0) throw new NotFound('account');
}
