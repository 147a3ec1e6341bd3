import type { ClientSession, UpdateFilter } from 'mongodb';
import { AlreadyExists, NotFound, Refused } from '../../errors.ts';
import type { Account, DirectoryAdmin } from '../../ports/directory.ts';
import { transact } from '../transaction.ts';
import type { AdminContext } from './admin-context.ts';
import { type AccountDocument, toAccount } from './documents.ts';
import { domainOf, takeAddress } from './domains.ts';
import { insertNew } from './insert-new.ts';

/**
 * Changes of accounts, each one transaction with their address and credentials. A lost reply is asked for again until it is known; an OutcomeUnknown comes
 * only when the store hasn't answered for 20 s. Who repeats `addAccount` with the same id then learns AlreadyExists of `account` when the first try was written (no
 * other writer has that id), of `address` when another has taken the address.
 */
export function accountWrites(
  context: AdminContext,
): Pick<DirectoryAdmin, 'addAccount' | 'updateAccount' | 'removeAccount'> {
  const { database, turns } = context;
  return {
    addAccount: (account, passwordHash) =>
      turns.run([domainOf(account.key)], () =>
        transact(database.client, (session) => add(context, account, passwordHash, session)),
      ),
    updateAccount: (id, patch) =>
      turns.run([id], () => transact(database.client, (session) => update(context, id, patch, session))),
    removeAccount: (id, now) =>
      turns.run([id], () => transact(database.client, (session) => remove(context, id, now, session))),
  };
}

type AccountPatch = Parameters<DirectoryAdmin['updateAccount']>[1];

async function add(
  context: AdminContext,
  { id, ...account }: Account,
  passwordHash: string,
  session: ClientSession,
): Promise<void> {
  const { directoryAccounts, removedAccounts, credentials } = context.database;
  // A removal at the same time deletes this very document: the two conflict.
  const removed = await removedAccounts.findOne({ _id: id }, { session, projection: { _id: 1 } });
  if (removed !== null) throw new AlreadyExists('account');
  const document: AccountDocument = { _id: id, v: 1, ...account, quotaVersion: 1, uncopied: true, changes: 0 };
  await insertNew('account', directoryAccounts.insertOne(document, { session }));
  await takeAddress(context, account.key, { kind: 'account', accountId: id }, session);
  const password = { accountId: id, kind: 'password', name: '', hash: passwordHash } as const;
  await credentials.insertOne({ _id: id, v: 1, ...password, createdAt: account.createdAt }, { session });
}

async function update(
  context: AdminContext,
  id: string,
  { passwordHash, ...patch }: AccountPatch,
  session: ClientSession,
): Promise<Account> {
  const { directoryAccounts, credentials, newer } = context.database;
  const before = await directoryAccounts.findOne({ _id: id }, { session });
  newer.check('accounts', before);
  if (before === null) throw new NotFound('account');
  const enabled = patch.enabled ?? before.enabled;
  const admin = patch.admin ?? before.admin;
  if (isActiveAdmin(before) && !isActiveAdmin({ enabled, admin })) await keepAnAdministrator(context, id, session);
  const raises = passwordHash !== undefined || enabled !== before.enabled || admin !== before.admin;
  const changed: UpdateFilter<AccountDocument> = {
    $set: { ...patch, ...(patch.quota === undefined ? {} : { uncopied: true }) },
    $inc: { changes: 1, credentialVersion: Number(raises), quotaVersion: Number(patch.quota !== undefined) },
  };
  const after = await directoryAccounts.findOneAndUpdate({ _id: id }, changed, { session, returnDocument: 'after' });
  if (after === null) throw new NotFound('account');
  if (passwordHash !== undefined) {
    await credentials.updateOne({ _id: id, kind: 'password' }, { $set: { hash: passwordHash } }, { session });
  }
  return toAccount(after);
}

async function remove(context: AdminContext, id: string, now: number, session: ClientSession): Promise<void> {
  const { directoryAccounts, removedAccounts, addresses, credentials, tokens } = context.database;
  const account = await directoryAccounts.findOneAndDelete({ _id: id }, { session });
  if (account === null) throw new NotFound('account');
  if (isActiveAdmin(account)) await keepAnAdministrator(context, id, session);
  await removedAccounts.insertOne({ _id: id, v: 1, key: account.key, removedAt: now }, { session });
  await addresses.deleteOne({ _id: account.key }, { session });
  await credentials.deleteMany({ accountId: id }, { session });
  await tokens.deleteMany({ accountId: id }, { session });
}

const isActiveAdmin = (account: Pick<Account, 'admin' | 'enabled'>): boolean => account.admin && account.enabled;

/**
 * Without an administrator nobody could make another. The one who stays is written, not only read: were it to leave at the same time, it would write the same
 * document, and one of the two begins again.
 */
async function keepAnAdministrator(
  { database: { directoryAccounts } }: AdminContext,
  leavingId: string,
  session: ClientSession,
): Promise<void> {
  const { matchedCount } = await directoryAccounts.updateOne(
    { admin: true, enabled: true, _id: { $ne: leavingId } },
    { $inc: { changes: 1 } },
    { session, hint: 'accounts_admins' },
  );
  if (matchedCount === 0) throw new Refused('lastAdministrator', 'this is the last administrator who can log in');
}
