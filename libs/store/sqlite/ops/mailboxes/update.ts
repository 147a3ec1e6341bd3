import { Refused } from '../../../errors.ts';
import { isUnread, normalKeywords } from '../../../mailbox-rules.ts';
import type { MessagePatch } from '../../../ports/mailboxes.ts';
import type { Connection } from '../../engine/connection.ts';
import { openAccount } from './account-state.ts';
import { AccountWork } from './account-work.ts';
import { type Member, putIntoMailbox, takeOutOfMailbox } from './message-insert.ts';
import { messageJson, parseList, type StoredMessage, storedMessage } from './message-rows.ts';

/** Answers JSON of MessageRow. A patch that changes nothing takes no modseq. */
export function update(
  connection: Connection,
  args: { accountId: string; id: string; patch: MessagePatch; ifModseq?: number },
): string {
  const work = new AccountWork(connection, openAccount(connection, args.accountId));
  const message = storedMessage(connection, work.account, args.id, args.ifModseq);
  const keywords = normalKeywords(
    merged(parseList(message.keywords), args.patch.keywords ?? {}, (name) => name.toLowerCase()),
  );
  const mailboxes = merged(parseList(message.mailboxes), args.patch.mailboxIds ?? {}, (id) => work.mailbox(id).id);
  if (mailboxes.length === 0) throw new Refused('noMailbox', 'a message is in at least one mailbox');
  const changed = rewrite(connection, work, message, { keywords, mailboxes });
  if (changed) work.save();
  return messageJson(connection, work.account, args.id);
}

/** Also used to move messages out of a mailbox that goes. False when nothing was to be changed. */
export function rewrite(
  connection: Connection,
  work: AccountWork,
  message: StoredMessage,
  wanted: { keywords: readonly string[]; mailboxes: readonly string[] },
): boolean {
  const keywords = JSON.stringify(wanted.keywords);
  const mailboxes = JSON.stringify(wanted.mailboxes);
  if (keywords === message.keywords && mailboxes === message.mailboxes) return false;
  const before = parseList(message.mailboxes);
  const unread = Number(isUnread(wanted.keywords));
  for (const id of before) {
    if (!wanted.mailboxes.includes(id)) takeOutOfMailbox(connection, work, work.mailbox(id), memberOf(message));
    else if (unread !== message.unread) markUnread(connection, work, id, message, unread);
  }
  for (const id of wanted.mailboxes) {
    if (!before.includes(id)) putIntoMailbox(connection, work, work.mailbox(id), { ...memberOf(message), unread });
  }
  connection.run(
    'UPDATE messages SET keywords = ?, mailboxes = ?, unread = ?, modseq = ? WHERE n = ?',
    keywords,
    mailboxes,
    unread,
    work.nextModseq(),
    message.n,
  );
  return true;
}

export const memberOf = (message: StoredMessage): Member => ({
  n: message.n,
  id: message.id,
  receivedAt: message.received_at,
  unread: message.unread,
  hasAttachment: message.has_attachment,
});

function markUnread(
  connection: Connection,
  work: AccountWork,
  mailboxId: string,
  message: StoredMessage,
  unread: number,
): void {
  const mailbox = work.mailbox(mailboxId);
  connection.run(
    'UPDATE mailbox_messages SET unread = ? WHERE mailbox = ? AND received_at = ? AND id = ?',
    unread,
    mailbox.mailbox,
    message.received_at,
    message.id,
  );
  work.count(mailbox, 0, unread - message.unread);
}

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
