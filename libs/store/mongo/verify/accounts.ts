import type { ClientSession } from 'mongodb';
import { isUnread } from '../../mailbox-rules.ts';
import { type MongoDatabase, type SnapshotReads, snapshot } from '../database.ts';
import type { MailAccountDocument, MessageBodyDocument, MessageDocument } from '../mailboxes/documents.ts';
import type { AcceptDocument } from '../queue/accept-document.ts';
import type { FaultList } from './fault-list.ts';
import { hasBody } from './has-body.ts';
import { pagesOf } from './pages.ts';

/** Counts are kept beside the rows so that they cost nothing to read: they must say the same. Answers how many accounts there are. */
export async function checkAccounts(database: MongoDatabase, faults: FaultList): Promise<number> {
  let accounts = 0;
  const page = (after: string): Promise<Pick<MailAccountDocument, '_id' | 'v'>[]> =>
    database.mailAccounts
      .find({ _id: { $gt: after } }, { projection: { v: 1 } })
      .sort({ _id: 1 })
      .limit(accountsPerPage)
      .toArray();
  for await (const found of pagesOf(page)) {
    for (const account of found) {
      accounts += 1;
      if (!faults.isNewer(`account ${account._id}`, account)) await checkAccount(database, account._id, faults);
    }
  }
  return accounts;
}

const accountsPerPage = 1_000;

/** Account and messages as of one moment. */
function checkAccount(database: MongoDatabase, accountId: string, faults: FaultList): Promise<void> {
  return snapshot(database, async (reads) => {
    const account = await reads.mailAccounts.findOne({ _id: accountId }, { session: reads.session });
    if (account === null) return;
    const sums = new Sums();
    for await (const messages of messagesOf(reads, accountId)) {
      const readable = messages.filter((message) => !faults.isNewer(`message ${message._id}`, message));
      for (const message of readable) sums.add(message, account, faults);
      const live = readable.filter((message) => message.live === true);
      await checkBodiesThere(database, reads.session, live, faults);
    }
    sums.compare(account, faults);
  });
}

type Row = Pick<
  MessageDocument,
  '_id' | 'v' | 'messageId' | 'kind' | 'mailboxIds' | 'uids' | 'keywords' | 'sizeBytes' | 'modseq' | 'live'
>;

/** In the order of their modseqs, some at a time. */
async function* messagesOf({ messages, session }: SnapshotReads, accountId: string): AsyncGenerator<Row[]> {
  let page: Row[] = [];
  const rows = messages
    .find<Row>({ accountId }, { session, projection, hint: 'messages_by_modseq', batchSize: messagesPerPage })
    .sort({ modseq: 1 });
  for await (const row of rows) {
    page.push(row);
    if (page.length < messagesPerPage) continue;
    yield page;
    page = [];
  }
  yield page;
}

const messagesPerPage = 1_000;
const projection = {
  v: 1,
  messageId: 1,
  kind: 1,
  mailboxIds: 1,
  uids: 1,
  keywords: 1,
  sizeBytes: 1,
  modseq: 1,
  live: 1,
} as const;

class Sums {
  #bytes = 0;
  #messages = 0;
  #lastModseq = 0;
  readonly #mailboxes = new Map<string, { total: number; unread: number }>();

  add(message: Row, account: MailAccountDocument, faults: FaultList): void {
    const { _id, modseq, sizeBytes, mailboxIds, keywords, uids, live } = message;
    if (modseq === this.#lastModseq) faults.add(`message ${_id}: its modseq ${modseq} is another’s too`);
    if (modseq > account.modseq) faults.add(`message ${_id}: its modseq ${modseq} is past the account’s`);
    this.#lastModseq = modseq;
    if (live !== true) return;
    this.#bytes += sizeBytes;
    this.#messages += 1;
    for (const id of mailboxIds) {
      const { total, unread } = this.#mailboxes.get(id) ?? { total: 0, unread: 0 };
      this.#mailboxes.set(id, { total: total + 1, unread: unread + Number(isUnread(keywords)) });
      const uidNext = account.mailboxes[id]?.uidNext;
      if (uidNext === undefined) faults.add(`message ${_id}: it is in mailbox ${id}, which isn’t there`);
      else if (!((uids[id] ?? uidNext) < uidNext))
        faults.add(`message ${_id}: its UID in mailbox ${id} was never given`);
    }
  }

  compare({ _id, usedBytes, usedMessages, mailboxes }: MailAccountDocument, faults: FaultList): void {
    if (usedBytes !== this.#bytes || usedMessages !== this.#messages) {
      faults.add(`account ${_id}: its use is not that of its messages`);
    }
    for (const [id, { total, unread }] of Object.entries(mailboxes)) {
      const rows = this.#mailboxes.get(id) ?? { total: 0, unread: 0 };
      if (rows.total !== total || rows.unread !== unread) {
        faults.add(`mailbox ${id}: its counts are not those of its messages`);
      }
    }
  }
}

/** A message that can be seen must have its bytes. */
async function checkBodiesThere(
  { db }: MongoDatabase,
  session: ClientSession,
  live: readonly Row[],
  faults: FaultList,
): Promise<void> {
  const options = { readConcern: { level: 'snapshot' } } as const;
  const [appended, delivered] = [live.filter(isAppended), live.filter((message) => !isAppended(message))];
  const own = await hasBody(db.collection<MessageBodyDocument>('message_bodies', options), session, idsOf(appended));
  const spooled = await hasBody(db.collection<AcceptDocument>('accepts', options), session, idsOf(delivered));
  for (const { _id, messageId } of [
    ...appended.filter(({ messageId }) => !own.has(messageId)),
    ...delivered.filter(({ messageId }) => !spooled.has(messageId)),
  ]) {
    faults.add(`message ${_id}: its bytes are missing (${messageId})`);
  }
}

const isAppended = ({ kind }: Row): boolean => kind === 'append';
const idsOf = (messages: readonly Row[]): Set<string> => new Set(messages.map(({ messageId }) => messageId));
