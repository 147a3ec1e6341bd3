import type { ClientSession } from 'mongodb';
import { NotFound, Refused } from '../../errors.ts';
import type { Credentials } from '../../ports/credentials.ts';
import { transact } from '../transaction.ts';
import { asStoreErrors } from '../write-errors.ts';
import type { AdminContext } from './admin-context.ts';
import { batchOf } from './directory.ts';
import { toCredential, toToken } from './documents.ts';
import { insertNew } from './insert-new.ts';

/** An account has no need of more; without a cap one account could fill the store. */
const maxAppPasswords = 100;
const maxTokens = 500;

/**
 * Of `credentials` and `tokens`, which auth alone may read. Every change writes the account first: so that of two at once, or of one and the account's removal,
 * one begins again and finds what the other has done.
 */
export function mongoCredentials({ database, turns }: AdminContext): Credentials {
  const { credentials, tokens, directoryAccounts: accounts, newer } = database;
  const change = (accountId: string, work: (session: ClientSession) => Promise<void>): Promise<void> =>
    turns.run([accountId], () => transact(database.client, work));
  /** False for no such account. */
  const touch = async (
    accountId: string,
    raised: 'credentialVersion' | 'changes',
    session: ClientSession,
  ): Promise<boolean> => {
    const { matchedCount } = await accounts.updateOne({ _id: accountId }, { $inc: { [raised]: 1 } }, { session });
    return matchedCount > 0;
  };

  return {
    ofAccount: (accountId) =>
      asStoreErrors(false, async () => {
        const rows = await credentials.find({ accountId }, batchOf(maxAppPasswords)).sort({ _id: 1 }).toArray();
        return newer.readable('credentials', rows).map(toCredential);
      }),

    appPasswords: (accountId) =>
      asStoreErrors(false, async () => {
        const rows = await credentials
          .find({ accountId, kind: 'app' }, batchOf(maxAppPasswords))
          .sort({ _id: 1 })
          .toArray();
        return newer.readable('credentials', rows).map(toCredential);
      }),

    addAppPassword: ({ id, ...row }) =>
      change(row.accountId, async (session) => {
        if (!(await touch(row.accountId, 'credentialVersion', session))) throw new NotFound('account');
        const there = await credentials.countDocuments({ accountId: row.accountId, kind: 'app' }, { session });
        if (there >= maxAppPasswords) {
          throw new Refused('tooManyAppPasswords', `an account has at most ${maxAppPasswords} application passwords`);
        }
        await insertNew('application password', credentials.insertOne({ _id: id, v: 1, ...row }, { session }));
      }),

    removeAppPassword: (accountId, id) =>
      change(accountId, async (session) => {
        const isThere = await touch(accountId, 'credentialVersion', session);
        const { deletedCount } = await credentials.deleteOne({ _id: id, accountId, kind: 'app' }, { session });
        if (!isThere || deletedCount === 0) throw new NotFound('application password');
      }),

    tokens: (accountId, { limit, cursor }) =>
      asStoreErrors(false, async () => {
        const rows = await tokens
          .find({ accountId, _id: { $gt: cursor ?? '' } }, batchOf(limit))
          .sort({ _id: 1 })
          .limit(limit)
          .toArray();
        return rows.map(toToken);
      }),

    addToken: ({ id, ...token }) =>
      change(token.accountId, async (session) => {
        if (!(await touch(token.accountId, 'changes', session))) throw new NotFound('account');
        const there = await tokens.countDocuments({ accountId: token.accountId }, { session });
        if (there >= maxTokens) throw new Refused('tooManyTokens', `an account has at most ${maxTokens} tokens`);
        await insertNew('token', tokens.insertOne({ _id: id, v: 1, ...token }, { session }));
      }),

    tokenByHash: (hash) =>
      asStoreErrors(false, async () => {
        const row = await tokens.findOne({ hash });
        return row === null || newer.readable('tokens', [row]).length === 0 ? undefined : toToken(row);
      }),

    removeToken: (accountId, id) =>
      change(accountId, async (session) => {
        const isThere = await touch(accountId, 'credentialVersion', session);
        const { deletedCount } = await tokens.deleteOne({ _id: id, accountId }, { session });
        if (!isThere || deletedCount === 0) throw new NotFound('token');
      }),
  };
}
