import { NotFound } from '../../errors.ts';
import type { DirectoryAdmin } from '../../ports/directory.ts';
import { asStoreErrors } from '../write-errors.ts';
import { accountWrites } from './accounts.ts';
import type { AdminContext } from './admin-context.ts';
import { aliasWrites } from './aliases.ts';
import { batchOf } from './directory.ts';
import { toAccount } from './documents.ts';
import { domainWrites } from './domains.ts';

/** Writes `domains`, `addresses`, `accounts`, `removed_accounts`, `credentials` and `tokens`. */
export function mongoDirectoryAdmin(context: AdminContext): DirectoryAdmin {
  const { directoryAccounts: accounts, removedAccounts, newer } = context.database;
  return {
    ...domainWrites(context),
    ...accountWrites(context),
    ...aliasWrites(context),

    listAccounts: ({ limit, cursor }) =>
      asStoreErrors(false, async () => {
        const page = await newer.readAround('accounts', (only) =>
          accounts
            .find({ key: { $gt: cursor ?? '' }, ...only }, batchOf(limit))
            .sort({ key: 1 })
            .limit(limit)
            .toArray(),
        );
        return page.map(toAccount);
      }),

    accountPurged: (id, now) =>
      asStoreErrors(true, async () => {
        // The first report counts: a missing time is taken as it is, else the smaller one.
        const { matchedCount } = await removedAccounts.updateOne({ _id: id }, { $min: { purgedAt: now } });
        if (matchedCount === 0) throw new NotFound('removed account');
      }),

    uncopiedQuotas: (limit) =>
      asStoreErrors(false, async () => {
        const projection = { v: 1, quota: 1, quotaVersion: 1 } as const;
        const found = await newer.readAround('accounts', (only) =>
          accounts
            .find({ uncopied: true, ...only }, { ...batchOf(limit), projection })
            .sort({ _id: 1 })
            .limit(limit)
            .toArray(),
        );
        return found.map(({ _id: accountId, quota: { bytes, messages }, quotaVersion: version }) => {
          return { accountId, quota: { bytes, messages }, version };
        });
      }),

    quotaCopied: (accountId, version) =>
      asStoreErrors(true, async () => {
        const copied = await accounts.updateOne({ _id: accountId, quotaVersion: version }, { $unset: { uncopied: 1 } });
        if (copied.matchedCount > 0) return true;
        // Another copy of auth may have brought the later value before this one wrote the earlier.
        await accounts.updateOne({ _id: accountId }, { $set: { uncopied: true } });
        return false;
      }),
  };
}
