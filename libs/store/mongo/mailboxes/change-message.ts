import type { ClientSession } from 'mongodb';
import { NotFound, PreconditionFailed, Refused } from '../../errors.ts';
import { isUnread, normalKeywords } from '../../mailbox-rules.ts';
import type { MessagePatch, MessageRow } from '../../ports/mailboxes.ts';
import type { MongoDatabase } from '../database.ts';
import type { AccountWork } from './account-work.ts';
import { changeAccount, type MailContext } from './context.ts';
import { flagsOf, type MessageDocument, messageRow } from './documents.ts';

/** A patch that changes nothing takes no modseq. */
export function update(
  context: MailContext,
  accountId: string,
  id: string,
  patch: MessagePatch,
  { ifModseq }: { ifModseq?: number },
): Promise<MessageRow> {
  const { database } = context;
  return changeAccount(context, accountId, async (work, session) => {
    const message = await liveMessage(database, accountId, id, session);
    checkModseq(message, ifModseq);
    const keywords = normalKeywords(merged(message.keywords, patch.keywords ?? {}, (name) => name.toLowerCase()));
    const mailboxIds = merged(message.mailboxIds, patch.mailboxIds ?? {}, (name) => work.mailbox(name).id);
    if (mailboxIds.length === 0) throw new Refused('noMailbox', 'a message is in at least one mailbox');
    return messageRow(await rewrite(database, session, work, message, { keywords, mailboxIds }));
  });
}

/** NotFound for an expunged message and one of another account too. */
export async function liveMessage(
  { messages, newer }: Pick<MongoDatabase, 'messages' | 'newer'>,
  accountId: string,
  id: string,
  session: ClientSession,
): Promise<MessageDocument> {
  const message = await messages.findOne({ _id: id, accountId, live: true }, { session });
  if (message === null) throw new NotFound('message');
  newer.check('messages', message);
  return message;
}

export function checkModseq({ modseq }: MessageDocument, ifModseq: number | undefined): void {
  if (ifModseq !== undefined && modseq !== ifModseq) throw new PreconditionFailed('the message has changed since');
}

/** Also used to move messages out of a mailbox that goes. */
export async function rewrite(
  { messages }: MongoDatabase,
  session: ClientSession,
  work: AccountWork,
  message: MessageDocument,
  wanted: { keywords: readonly string[]; mailboxIds: readonly string[] },
): Promise<MessageDocument> {
  const { keywords, mailboxIds } = wanted;
  if (isSame(keywords, message.keywords) && isSame(mailboxIds, message.mailboxIds)) return message;
  const before = isUnread(message.keywords);
  const unread = isUnread(keywords);
  const uids: Record<string, number> = {};
  for (const id of message.mailboxIds) {
    const mailbox = work.mailbox(id);
    if (!mailboxIds.includes(id)) work.count(mailbox, -1, -Number(before));
    else if (before !== unread) work.count(mailbox, 0, Number(unread) - Number(before));
  }
  for (const id of mailboxIds) uids[id] = message.uids[id] ?? work.putIn(work.mailbox(id), unread);
  const changed = {
    keywords,
    mailboxIds,
    uids,
    flags: flagsOf(unread, message.summary?.hasAttachment === true),
    modseq: work.nextModseq(),
    changed: true,
  } as const;
  await messages.updateOne({ _id: message._id, accountId: work.accountId }, { $set: changed }, { session });
  return { ...message, ...changed };
}

const isSame = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((entry, index) => entry === other[index]);

/** `key` names an entry as it is stored (and may refuse it). */
function merged(
  list: readonly string[],
  patch: Readonly<Record<string, boolean>>,
  key: (name: string) => string,
): string[] {
  const set = new Set(list);
  for (const [name, wanted] of Object.entries(patch)) {
    if (wanted) set.add(key(name));
    else set.delete(key(name));
  }
  return [...set];
}
