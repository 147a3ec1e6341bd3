import { Binary } from 'mongodb';
import { Refused } from '../../errors.ts';
import type { AppendedMessage, MessageRow } from '../../ports/mailboxes.ts';
import { liveMessage } from './change-message.ts';
import { changeAccount, type MailContext } from './context.ts';
import { type MessageBodyDocument, messageRow } from './documents.ts';
import { addMessage } from './new-message.ts';
import { Threads, threadIds } from './threads.ts';

/** Repeating it is one message. */
export function append(context: MailContext, accountId: string, message: AppendedMessage): Promise<MessageRow> {
  const { database } = context;
  const { id, receivedAt } = message;
  return changeAccount(context, accountId, async (work, session) => {
    const there = await database.messages.findOne({ _id: id, accountId }, { session, projection: { _id: 1 } });
    if (there !== null) return messageRow(await liveMessage(database, accountId, id, session));
    if (work.isOver(message.sizeBytes)) throw new Refused('overQuota', 'the account has no room for the message');
    const keys = threadIds(accountId, message.summary);
    const threads = await Threads.read(database, session, [keys]);
    const threadId = threads.join(keys, { id, receivedAt });
    const document = addMessage(work, { ...message, messageId: id, kind: 'append' }, { id, threadId });
    await database.messages.insertOne(document, { session });
    await database.messageBodies.insertOne(bodyDocument(accountId, message), { session });
    await threads.write(database, session);
    return messageRow(document);
  });
}

function bodyDocument(accountId: string, { id, body, sha256 }: AppendedMessage): MessageBodyDocument {
  const document: MessageBodyDocument = { _id: id, v: 1, accountId, sha256 };
  if (body.kind === 'inline') document.bytes = new Binary(body.bytes);
  else document.blob = body.ref;
  return document;
}
