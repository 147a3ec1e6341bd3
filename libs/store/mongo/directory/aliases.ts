import { parseAddress } from '../../../mail/address/mailbox-address.ts';
import { NotFound } from '../../errors.ts';
import type { Alias, DirectoryAdmin } from '../../ports/directory.ts';
import { transact } from '../transaction.ts';
import { asStoreErrors } from '../write-errors.ts';
import type { AdminContext } from './admin-context.ts';
import { batchOf } from './directory.ts';
import type { AddressDocument, AliasTarget } from './documents.ts';
import { domainOf, takeAddress } from './domains.ts';

export function aliasWrites(
  context: AdminContext,
): Pick<DirectoryAdmin, 'aliases' | 'addAlias' | 'updateAlias' | 'removeAlias'> {
  const { database, turns } = context;
  const { addresses, newer } = database;
  return {
    aliases: ({ limit, cursor }) =>
      asStoreErrors(false, async () => {
        const page = await newer.readAround('addresses', (only) =>
          addresses
            .find({ kind: 'alias', _id: { $gt: cursor ?? '' }, ...only }, batchOf(limit))
            .sort({ _id: 1 })
            .limit(limit)
            .toArray(),
        );
        return page.flatMap((document) => toAlias(document) ?? []);
      }),

    addAlias: ({ key, address, targets, createdAt }) =>
      turns.run([domainOf(key)], () =>
        transact(database.client, (session) => {
          const alias = { address, targets: targets.map(withKey), createdAt };
          return takeAddress(context, key, { kind: 'alias', alias }, session);
        }),
      ),

    updateAlias: (key, targets) =>
      asStoreErrors(true, async () => {
        const document = await addresses.findOneAndUpdate(
          { _id: key, kind: 'alias' },
          { $set: { 'alias.targets': targets.map(withKey) } },
          { returnDocument: 'after' },
        );
        const alias = document === null ? undefined : toAlias(document);
        if (alias === undefined) throw new NotFound('alias');
        return alias;
      }),

    removeAlias: (key) =>
      asStoreErrors(true, async () => {
        const { deletedCount } = await addresses.deleteOne({ _id: key, kind: 'alias' });
        if (deletedCount === 0) throw new NotFound('alias');
      }),
  };
}

/** Targets are found by key (who may send as an alias), shown as they were typed. */
const withKey = (target: string): AliasTarget => ({ target, key: parseAddress(target)?.key ?? target });

function toAlias({ _id: key, alias }: AddressDocument): Alias | undefined {
  if (alias === undefined) return undefined;
  const { address, targets, createdAt } = alias;
  return { key, address, targets: targets.map(({ target }) => target), createdAt };
}
