import type { Directory, DirectoryEntry } from '../../ports/directory.ts';
import type { MongoDatabase } from '../database.ts';
import { asStoreErrors } from '../write-errors.ts';
import { type AccountDocument, type AddressDocument, toAccount } from './documents.ts';

/**
 * Reads of `domains`, `addresses`, `accounts` and `removed_accounts`. Each answer comes in one batch. A lookup asks its three collections at once, not in one
 * snapshot: what is added or removed meanwhile is in it or not, each address for itself. Who asks by name for a document of a release that this one can't read
 * gets an error, for "there is none" would refuse its mail; lists leave it out.
 */
export function mongoDirectory(database: MongoDatabase): Directory {
  const { domains, addresses, directoryAccounts: accounts, removedAccounts, newer } = database;

  return {
    lookup: ({ keys, domains: names }) =>
      asStoreErrors(false, async () => {
        const [byKey, aliases, ours] = await Promise.all([
          accounts.find({ key: { $in: [...keys] } }, batchOf(keys.length)).toArray(),
          addresses.find({ _id: { $in: [...keys] }, kind: 'alias' }, batchOf(keys.length)).toArray(),
          domains.find({ _id: { $in: [...names] } }, { ...batchOf(names.length), projection: { _id: 1 } }).toArray(),
        ]);
        for (const account of byKey) newer.check('accounts', account);
        for (const alias of aliases) newer.check('addresses', alias);
        const entries = new Map<string, DirectoryEntry>();
        for (const account of byKey) entries.set(account.key, { kind: 'account', account: toAccount(account) });
        for (const document of aliases) {
          const entry = aliasEntry(document);
          if (entry !== undefined) entries.set(document._id, entry);
        }
        return { entries, domains: new Set(ours.map(({ _id }) => _id)) };
      }),

    accounts: (ids) =>
      asStoreErrors(false, async () => {
        const found = await accounts.find({ _id: { $in: [...ids] } }, batchOf(ids.length)).toArray();
        for (const account of found) newer.check('accounts', account);
        return new Map(found.map((document) => [document._id, toAccount(document)]));
      }),

    credentialVersions: (ids) =>
      asStoreErrors(false, async () => {
        const found = await accounts
          .find({ _id: { $in: [...ids] }, enabled: true }, batchOf(ids.length))
          .project<Pick<AccountDocument, '_id' | 'credentialVersion'>>({ credentialVersion: 1 })
          .toArray();
        return new Map(found.map(({ _id, credentialVersion }) => [_id, credentialVersion]));
      }),

    addressesOf: (accountId) =>
      asStoreErrors(false, async () => {
        const account = await accounts.findOne({ _id: accountId }, { projection: { key: 1 } });
        if (account === null) return [];
        const aliases = await addresses
          .find({ 'alias.targets.key': account.key }, { projection: { _id: 1 } })
          .batchSize(largeBatch)
          .toArray();
        return [account.key, ...aliases.map(({ _id }) => _id)];
      }),

    administrators: (limit) =>
      asStoreErrors(false, async () => {
        const found = await newer.readAround('accounts', (only) =>
          accounts
            .find({ admin: true, enabled: true, ...only }, batchOf(limit))
            .sort({ createdAt: 1, _id: 1 })
            .limit(limit)
            .toArray(),
        );
        return found.map(toAccount);
      }),

    removedAccounts: (limit) =>
      asStoreErrors(false, async () => {
        const found = await removedAccounts
          .find({ purgedAt: null }, { ...batchOf(limit), hint: 'removed_accounts_unpurged' })
          .sort({ removedAt: 1, _id: 1 })
          .limit(limit)
          .toArray();
        return found.map(({ _id: id, key, removedAt }) => ({ id, key, removedAt }));
      }),
  };
}

/** All in the first reply: no cursor is left at the server, which an election would kill. */
export const batchOf = (documents: number): { batchSize: number } => ({ batchSize: documents + 1 });

const largeBatch = 10_000;

function aliasEntry({ alias }: AddressDocument): DirectoryEntry | undefined {
  if (alias === undefined) return undefined;
  return { kind: 'alias', address: alias.address, targets: alias.targets.map(({ target }) => target) };
}
