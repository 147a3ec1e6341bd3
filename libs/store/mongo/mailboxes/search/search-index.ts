import type { AnyBulkWriteOperation, ClientSession } from 'mongodb';
import type { SearchEntry } from '../../../ports/mailboxes.ts';
import type { MongoDatabase } from '../../database.ts';
import { transact } from '../../transaction.ts';
import { asStoreErrors } from '../../write-errors.ts';
import { type SearchDocument, searchDocument } from './search-document.ts';

/** By the mark that a message has once it is indexed; those of releases that didn't search have none. */
export function unindexed(
  { messages }: MongoDatabase,
  limit: number,
): Promise<readonly { accountId: string; id: string }[]> {
  return asStoreErrors(false, async () => {
    const found = await messages
      .find({ live: true, searched: null }, { projection: { accountId: 1 }, hint: 'messages_unindexed' })
      .sort({ receivedAt: 1, createdModseq: 1 })
      .limit(limit)
      .toArray();
    return found.map(({ _id, accountId }) => ({ accountId, id: _id }));
  });
}

/**
 * The words and the mark of a message come together. A message that is expunged meanwhile conflicts: either its mark or its words, for one of them is
 * always written, or both are as they were. Two that index the same messages conflict too, and the later finds everything there.
 */
export async function index(database: MongoDatabase, entries: readonly SearchEntry[]): Promise<void> {
  // The last of each message.
  const latest = [...new Map(entries.map((entry) => [entry.id, entry])).values()];
  for (const step of steps(latest)) await transact(database.client, (session) => indexStep(database, session, step));
}

/** Words go in the transaction in which their messages do. */
export async function forgetSearch(
  { messageSearch }: MongoDatabase,
  session: ClientSession,
  accountId: string,
  ids: readonly string[],
): Promise<void> {
  if (ids.length > 0) await messageSearch.deleteMany({ _id: { $in: [...ids] }, accountId }, { session });
}

async function indexStep(
  { messages, messageSearch }: MongoDatabase,
  session: ClientSession,
  entries: readonly SearchEntry[],
): Promise<void> {
  const ids = entries.map(({ id }) => id);
  const projection = { accountId: 1, receivedAt: 1, searched: 1 } as const;
  const found = await messages.find({ _id: { $in: ids }, live: true }, { session, projection }).toArray();
  const rows = new Map(found.map((row) => [row._id, row]));
  const operations: AnyBulkWriteOperation<SearchDocument>[] = [];
  const unmarked: string[] = [];
  for (const entry of entries) {
    const row = rows.get(entry.id);
    if (row === undefined || row.accountId !== entry.accountId) continue;
    const document = searchDocument(entry, row);
    if (row.searched !== 1) {
      unmarked.push(entry.id);
      operations.push({ insertOne: { document } });
    } else {
      const { _id, ...replacement } = document;
      operations.push({ replaceOne: { filter: { _id }, replacement, upsert: true } });
    }
  }
  // The marks first: there a conflict shows before the words are written.
  if (unmarked.length > 0)
    await messages.updateMany({ _id: { $in: unmarked } }, { $set: { searched: 1 } }, { session });
  if (operations.length > 0) await messageSearch.bulkWrite(operations, { session, ordered: false });
}

/** What goes into one transaction: it is to be over soon, for changes of its messages wait for it. */
function* steps(entries: readonly SearchEntry[]): Generator<SearchEntry[]> {
  let step: SearchEntry[] = [];
  let tokens = 0;
  for (const entry of entries) {
    if (step.length > 0 && (step.length === stepEntries || tokens + tokensOf(entry) > stepTokens)) {
      yield step;
      step = [];
      tokens = 0;
    }
    step.push(entry);
    tokens += tokensOf(entry);
  }
  if (step.length > 0) yield step;
}

const stepEntries = 100;
const stepTokens = 50_000;

const tokensOf = ({ from, to, subject, text }: SearchEntry): number =>
  from.length + to.length + subject.length + text.length;
