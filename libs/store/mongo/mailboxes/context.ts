import type { ClientSession } from 'mongodb';
import { newId } from '../../../runtime/ids.ts';
import { NotFound } from '../../errors.ts';
import { firstMailboxes, stateToken } from '../../mailbox-rules.ts';
import { mailboxRoles } from '../../ports/mailboxes.ts';
import { type MongoDatabase, type SnapshotReads, snapshot } from '../database.ts';
import { durable, transact } from '../transaction.ts';
import { asStoreErrors, isDuplicateKey } from '../write-errors.ts';
import type { AccountTurns } from './account-turns.ts';
import { AccountWork } from './account-work.ts';
import type { MailAccountDocument } from './documents.ts';

/** What the operations of mailboxes work with. */
export interface MailContext {
  database: MongoDatabase;
  turns: AccountTurns;
  /** Grows with each restore, so that state tokens from before it are known for what they are. */
  incarnation: number;
}

export const stateOf = ({ incarnation }: MailContext, { modseq }: { modseq: number }): string =>
  stateToken(incarnation, modseq);

/** One change of an account: `work` sees it as it is, and what it makes of it is written with the rest of the transaction. NotFound when there is no such account. */
export async function changeAccount<T>(
  context: MailContext,
  accountId: string,
  change: (work: AccountWork, session: ClientSession) => Promise<T>,
): Promise<T> {
  const { database, turns } = context;
  await openAccount(context, accountId);
  return turns.run([accountId], () =>
    transact(database.client, async (session) => {
      const account = await database.mailAccounts.findOne({ _id: accountId, gone: null }, { session });
      if (account === null) throw new NotFound('account');
      database.newer.check('mail_accounts', account);
      const work = new AccountWork(account);
      const result = await change(work, session);
      const update = work.update();
      if (update !== undefined) await database.mailAccounts.updateOne({ _id: accountId }, update, { session });
      return result;
    }),
  );
}

/** Reads of one moment. An account that was never used is opened, once, and read again; NotFound when there is no such account. */
export async function readAccount<T>(
  context: MailContext,
  accountId: string,
  read: (account: MailAccountDocument, reads: SnapshotReads) => Promise<T>,
): Promise<T> {
  const tryRead = (): Promise<{ answer: T } | undefined> =>
    snapshot(context.database, async (reads) => {
      const account = await reads.mailAccounts.findOne({ _id: accountId, gone: null }, { session: reads.session });
      context.database.newer.check('mail_accounts', account);
      return account === null ? undefined : { answer: await read(account, reads) };
    });
  let found = await tryRead();
  if (found === undefined) {
    await openAccount(context, accountId);
    found = await tryRead();
  }
  if (found === undefined) throw new NotFound('account');
  return found.answer;
}

async function openAccount(context: MailContext, accountId: string): Promise<void> {
  const open = await openAccounts(context.database, [accountId]);
  if (!open.has(accountId)) throw new NotFound('account');
}

/** Those of the accounts that have mailboxes now: an account of the directory gets them when it has none. */
export async function openAccounts(
  { mailAccounts, accounts }: MongoDatabase,
  accountIds: readonly string[],
): Promise<Set<string>> {
  const projection = { _id: 1 } as const;
  return asStoreErrors(true, async () => {
    const ids = [...new Set(accountIds)];
    const findOpen = async (): Promise<Set<string>> => {
      const open = await mailAccounts.find({ _id: { $in: ids }, gone: null }, { projection }).toArray();
      return new Set(open.map(({ _id }) => _id));
    };
    const found = await findOpen();
    if (found.size === ids.length) return found;
    const missing = ids.filter((id) => !found.has(id));
    const known = await accounts.find({ _id: { $in: missing } }, { projection }).toArray();
    if (known.length === 0) return found;
    try {
      const made = known.map(({ _id }) => newAccount(_id));
      await mailAccounts.insertMany(made, { ordered: false, writeConcern: durable });
    } catch (error) {
      // Another opened it at the same time, or it was removed and its mail with it.
      if (!isDuplicateKey(error)) throw error;
      return findOpen();
    }
    for (const { _id } of known) found.add(_id);
    return found;
  });
}

export function newAccount(accountId: string): MailAccountDocument {
  const mailboxes = mailboxRoles.map((role, index) => {
    const counts = { total: 0, unread: 0, uidNext: 1, uidValidity: index + 1, modseq: 1 };
    return [newId(), { name: firstMailboxes[role], parentId: null, role, ...counts }] as const;
  });
  return {
    _id: accountId,
    v: 1,
    modseq: 1,
    mailboxesModseq: 1,
    purgedModseq: 0,
    uidValidity: mailboxRoles.length,
    usedBytes: 0,
    usedMessages: 0,
    limitBytes: null,
    limitMessages: null,
    mailboxes: Object.fromEntries(mailboxes),
  };
}
