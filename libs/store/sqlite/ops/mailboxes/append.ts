import { Refused } from '../../../errors.ts';
import type { Body } from '../../../ports/spool.ts';
import type { MailboxRole } from '../../../ports/mailboxes.ts';
import type { Connection } from '../../engine/connection.ts';
import { openAccount } from './account-state.ts';
import { AccountWork } from './account-work.ts';
import { insertMessage, type NewMessage } from './message-insert.ts';
import { messageJson } from './message-rows.ts';

/** `messageId` is the message's own id here. */
export interface PreparedAppend extends NewMessage {
  accountId: string;
  role: MailboxRole;
  body: Body;
  sha256: string;
}

/** Answers JSON of MessageRow. Repeating it is one message. */
export function append(connection: Connection, message: PreparedAppend): string {
  const { accountId, messageId: id, sizeBytes } = message;
  const work = new AccountWork(connection, openAccount(connection, accountId));
  const there =
    connection.get('SELECT 1 FROM messages WHERE message_id = ? AND account = ?', id, work.account) !== undefined;
  if (!there) {
    if (work.isOver(sizeBytes)) throw new Refused('overQuota', 'the account has no room for the message');
    insertMessage(connection, work, work.mailboxOfRole(message.role), message, id);
    keepBody(connection, message);
    work.save();
  }
  return messageJson(connection, work.account, id);
}

function keepBody(connection: Connection, { messageId, body, sha256 }: PreparedAppend): void {
  connection.run(
    'INSERT INTO message_bodies (n, bytes, blob_ref, sha256) VALUES ((SELECT n FROM messages WHERE id = ?), ?, ?, ?)',
    messageId,
    body.kind === 'inline' ? body.bytes : null,
    body.kind === 'blob' ? body.ref : null,
    sha256,
  );
}
