import type { ClientSession } from 'mongodb';
import { NotFound, Refused } from '../../errors.ts';
import type { DirectoryAdmin } from '../../ports/directory.ts';
import { transact } from '../transaction.ts';
import { asStoreErrors } from '../write-errors.ts';
import type { AdminContext } from './admin-context.ts';
import { batchOf } from './directory.ts';
import { type AddressDocument, toDomain } from './documents.ts';
import { insertNew } from './insert-new.ts';

export function domainWrites({
  database,
  turns,
}: AdminContext): Pick<DirectoryAdmin, 'domains' | 'addDomain' | 'removeDomain'> {
  const { domains, addresses, dkimKeys } = database;
  return {
    domains: ({ limit, cursor }) =>
      asStoreErrors(false, async () => {
        const page = await domains
          .find({ _id: { $gt: cursor ?? '' } }, batchOf(limit))
          .sort({ _id: 1 })
          .limit(limit)
          .toArray();
        return page.map(toDomain);
      }),

    addDomain: ({ key, name, createdAt }) =>
      asStoreErrors(true, () =>
        insertNew('domain', domains.insertOne({ _id: key, v: 1, name, createdAt, changes: 0 })),
      ),

    // Whoever takes an address in it writes the same document: of the two one begins again and finds what the other has done.
    removeDomain: (key) =>
      turns.run([key], () =>
        transact(database.client, async (session) => {
          const { deletedCount } = await domains.deleteOne({ _id: key }, { session });
          if (deletedCount === 0) throw new NotFound('domain');
          const used = await addresses.findOne({ domain: key }, { session, projection: { _id: 1 } });
          if (used !== null) throw new Refused('domainInUse', 'accounts or aliases are in this domain');
          await dkimKeys.deleteOne({ _id: key }, { session });
        }),
      ),
  };
}

/** Takes an address for an account or an alias: the one place that keeps it unique and in a domain of ours. Turns: `domainOf(key)`. */
export async function takeAddress(
  { database: { domains, addresses } }: AdminContext,
  key: string,
  of: Pick<AddressDocument, 'kind' | 'accountId' | 'alias'>,
  session: ClientSession,
): Promise<void> {
  const domain = domainOf(key);
  const { matchedCount } = await domains.updateOne({ _id: domain }, { $inc: { changes: 1 } }, { session });
  if (matchedCount === 0) throw new Refused('noDomain', `${domain} isn't a domain of this system`);
  await insertNew('address', addresses.insertOne({ _id: key, v: 1, domain, ...of }, { session }));
}

export const domainOf = (key: string): string => key.slice(key.lastIndexOf('@') + 1);
