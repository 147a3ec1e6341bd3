import type { Filter } from 'mongodb';
import { NotFound, Refused } from '../../errors.ts';
import type { ListCursor, MessageFilter, MessagePage } from '../../ports/mailboxes.ts';
import { type MailContext, readAccount, stateOf } from './context.ts';
import { type MailAccountDocument, type MessageDocument, messageRow, wantedFlags } from './documents.ts';

/** One walk along an index from the cursor on, newest first. */
export function list(
  context: MailContext,
  accountId: string,
  filter: MessageFilter,
  { limit, cursor }: { limit: number; cursor?: ListCursor },
): Promise<MessagePage> {
  refuseSearch(filter);
  return readAccount(context, accountId, async (account, { messages, session }) => {
    const mailboxId = filter.mailbox === undefined ? undefined : mailboxNamed(account, filter.mailbox);
    const rows = await messages
      .find(conditions(accountId, mailboxId, filter, cursor), {
        session,
        hint: mailboxId === undefined ? 'messages_by_time' : 'messages_by_mailbox',
      })
      .sort({ receivedAt: -1, _id: -1 })
      .limit(limit + 1)
      .toArray();
    const page = rows.slice(0, limit);
    const last = rows.length > limit ? page.at(-1) : undefined;
    return {
      state: stateOf(context, account),
      messages: page.map(messageRow),
      next: last === undefined ? null : { receivedAt: last.receivedAt, id: last._id },
    };
  });
}

function refuseSearch({ text, from, to, subject }: MessageFilter): void {
  if (text === undefined && from === undefined && to === undefined && subject === undefined) return;
  throw new Refused('searchUnavailable', 'this store can’t search messages yet: filter by mailbox, time or flags');
}

/** A mailbox is named by id or by role. */
function mailboxNamed({ mailboxes }: MailAccountDocument, name: string): string {
  if (Object.hasOwn(mailboxes, name)) return name;
  for (const [id, { role }] of Object.entries(mailboxes)) if (role === name) return id;
  throw new NotFound('mailbox');
}

function conditions(
  accountId: string,
  mailboxId: string | undefined,
  { since, before, unread, hasAttachment }: MessageFilter,
  cursor: ListCursor | undefined,
): Filter<MessageDocument> {
  const receivedAt: { $gte?: number; $lt?: number; $lte?: number } = {};
  if (since !== undefined) receivedAt.$gte = since;
  const found: Filter<MessageDocument> = { accountId, flags: { $in: wantedFlags(unread, hasAttachment) } };
  if (mailboxId !== undefined) found.mailboxIds = mailboxId;
  if (before !== undefined && (cursor === undefined || before <= cursor.receivedAt)) receivedAt.$lt = before;
  else if (cursor !== undefined) {
    receivedAt.$lte = cursor.receivedAt;
    // Of what came in the same millisecond as the cursor's message, what is after it. As an $or of two ranges it would be sorted in memory.
    found.$nor = [{ receivedAt: cursor.receivedAt, _id: { $gte: cursor.id } }];
  }
  if (Object.keys(receivedAt).length > 0) found.receivedAt = receivedAt;
  return found;
}
