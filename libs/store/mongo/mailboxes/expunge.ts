import type { ClientSession } from 'mongodb';
import { isUnread } from '../../mailbox-rules.ts';
import type { Mailboxes } from '../../ports/mailboxes.ts';
import type { MongoDatabase } from '../database.ts';
import { durable, transact } from '../transaction.ts';
import { asStoreErrors } from '../write-errors.ts';
import { AccountWork } from './account-work.ts';
import { checkModseq, liveMessage } from './change-message.ts';
import { changeAccount, type MailContext, newAccount } from './context.ts';
import type { MailAccountDocument, MessageDocument } from './documents.ts';
import { forgetSearch } from './search/search-index.ts';

/** The row stays as a tombstone: its key refuses the same delivery again, its modseq is what `changes` reads. */
export function destroy(
  context: MailContext,
  accountId: string,
  id: string,
  { ifModseq, now }: { ifModseq?: number; now: number },
): Promise<void> {
  const { database } = context;
  return changeAccount(context, accountId, async (work, session) => {
    const message = await liveMessage(database, accountId, id, session);
    checkModseq(message, ifModseq);
    detach(work, message);
    const $set = {
      destroyedAt: now,
      modseq: work.nextModseq(),
      changed: true,
      mailboxIds: [],
      keywords: [],
      uids: {},
    } as const;
    const $unset = { live: true, flags: true, summary: true } as const;
    await database.messages.updateOne({ _id: id, accountId }, { $set, $unset }, { session });
    await forgetSearch(database, session, accountId, [id]);
    await letBodiesGo(database, session, [message], now);
  });
}

/** Removes tombstones. The accounts are told first that what changed up to them can't be told any more, so no reader misses a change in silence. */
export async function purge(
  { database }: MailContext,
  { before, limit }: Parameters<Mailboxes['purge']>[0],
): Promise<number> {
  const { messages, mailAccounts } = database;
  return asStoreErrors(true, async () => {
    const rows = await messages
      .find({ destroyedAt: { $lt: before } }, { projection: { accountId: 1, modseq: 1 }, hint: 'messages_expunged' })
      .sort({ destroyedAt: 1 })
      .limit(limit)
      .toArray();
    if (rows.length === 0) return 0;
    const purged = new Map<string, number>();
    for (const { accountId, modseq } of rows) purged.set(accountId, Math.max(modseq, purged.get(accountId) ?? 0));
    const raised = [...purged].map(([_id, purgedModseq]) => {
      return { updateOne: { filter: { _id }, update: { $max: { purgedModseq } } } };
    });
    await mailAccounts.bulkWrite(raised, { ordered: false, writeConcern: durable });
    const ids = rows.map(({ _id }) => _id);
    await messages.deleteMany({ _id: { $in: ids }, destroyedAt: { $lt: before } }, { writeConcern: durable });
    return rows.length;
  });
}

/**
 * One step of removing all that an account has, tombstones too. Answers how many rows went; 0 when nothing is left. From then on an account that the
 * directory doesn't have takes nothing, also from who saw it there before.
 */
export function removeAccount(context: MailContext, accountId: string, limit: number, now: number): Promise<number> {
  const { database, turns } = context;
  const step = Math.min(limit, maxStep);
  return turns.run([accountId], () =>
    transact(database.client, async (session) => {
      const account = await database.mailAccounts.findOne({ _id: accountId }, { session });
      if (account === null) return close(database, session, newAccount(accountId));
      if (account.gone === true) return 0;
      const rows = await database.messages
        .find({ accountId }, { session, hint: 'messages_once' })
        .limit(step)
        .toArray();
      if (rows.length === 0) return removeRest(database, session, account, step);
      const work = new AccountWork(account);
      const live = rows.filter((row) => row.live === true);
      for (const row of live) detach(work, row);
      await letBodiesGo(database, session, live, now);
      await forgetSearch(
        database,
        session,
        accountId,
        live.map(({ _id }) => _id),
      );
      await database.messages.deleteMany({ _id: { $in: rows.map(({ _id }) => _id) } }, { session });
      work.nextModseq();
      await database.mailAccounts.updateOne({ _id: accountId }, work.update() ?? { $set: {} }, { session });
      return rows.length;
    }),
  );
}

const maxStep = 500;

async function removeRest(
  database: MongoDatabase,
  session: ClientSession,
  account: MailAccountDocument,
  limit: number,
): Promise<number> {
  const { threadReferences } = database;
  const references = await threadReferences
    .find({ _id: { $gt: `${account._id}/`, $lt: `${account._id}0` } }, { session, projection: { _id: 1 } })
    .limit(limit)
    .toArray();
  if (references.length === 0) return close(database, session, account);
  await threadReferences.deleteMany({ _id: { $in: references.map(({ _id }) => _id) } }, { session });
  return references.length;
}

/** An id is never used again, so an account that isn't in the directory will never be. */
async function close(
  { accounts, mailAccounts }: MongoDatabase,
  session: ClientSession,
  account: MailAccountDocument,
): Promise<0> {
  const { _id } = account;
  const isInDirectory = (await accounts.findOne({ _id }, { session, projection: { _id: 1 } })) !== null;
  if (isInDirectory) await mailAccounts.deleteOne({ _id }, { session });
  else await mailAccounts.replaceOne({ _id }, { ...account, mailboxes: {}, gone: true }, { session, upsert: true });
  return 0;
}

/** Out of its mailboxes and the quota. */
function detach(work: AccountWork, message: MessageDocument): void {
  const unread = Number(isUnread(message.keywords));
  for (const id of message.mailboxIds) work.count(work.mailbox(id), -1, -unread);
  work.use(-message.sizeBytes, -1);
}

/** An appended message's own body goes at once (a blob by the collection of those that no row names), the spool's when nothing else refers to it. */
async function letBodiesGo(
  { messageBodies, accepts }: MongoDatabase,
  session: ClientSession,
  messages: readonly MessageDocument[],
  now: number,
): Promise<void> {
  const appended = messages.filter(({ kind }) => kind === 'append').map(({ _id }) => _id);
  const spooled = messages.filter(({ kind }) => kind !== 'append').map(({ messageId }) => messageId);
  if (appended.length > 0) await messageBodies.deleteMany({ _id: { $in: appended } }, { session });
  if (spooled.length === 0) return;
  await accepts.updateMany({ _id: { $in: spooled }, checkAt: { $gt: now } }, { $set: { checkAt: now } }, { session });
}
