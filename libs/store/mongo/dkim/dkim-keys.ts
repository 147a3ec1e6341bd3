import { checkDkimKeyRemovable, checkRoomForDkimKey, noSuchDkimKey } from '../../dkim-key-rules.ts';
import { NotFound } from '../../errors.ts';
import type { DkimKey, DkimKeyChange, DkimKeys } from '../../ports/dkim-keys.ts';
import type { MongoDatabase } from '../database.ts';
import { transact } from '../transaction.ts';
import { asStoreErrors } from '../write-errors.ts';
import type { DkimKeysDocument, StoredDkimKey } from './documents.ts';

/** Of `dkim_keys`. Every change reads and writes the domain's one document in a transaction: of two at once one begins again and finds what the other has done. */
export function mongoDkimKeys({ client, dkimKeys, domains, newer }: MongoDatabase): DkimKeys {
  const read = (found: readonly DkimKeysDocument[]): DkimKeysDocument[] => newer.readable('dkim_keys', found);

  const change = (
    domain: string,
    { takes = false }: { takes?: boolean },
    work: (keys: readonly StoredDkimKey[]) => readonly StoredDkimKey[],
  ): Promise<void> =>
    transact(client, async (session) => {
      if (takes) {
        // As who removes the domain does: keys of a domain that has gone would stay for ever.
        const { matchedCount } = await domains.updateOne({ _id: domain }, { $inc: { changes: 1 } }, { session });
        if (matchedCount === 0) throw new NotFound('domain');
      }
      const found = await dkimKeys.findOne({ _id: domain }, { session });
      newer.check('dkim_keys', found);
      const there = found?.keys ?? [];
      const keys = work(there);
      if (keys === there) return;
      const { _id, ...fields } = documentOf(domain, keys);
      await dkimKeys.replaceOne({ _id }, fields, { session, upsert: true });
    });

  return {
    list: (domain) =>
      asStoreErrors(false, async () => read(await dkimKeys.find({ _id: domain }).toArray()).flatMap(shown)),

    add: ({ domain, ...key }) =>
      change(domain, { takes: true }, (keys) => {
        checkRoomForDkimKey(
          keys.map(({ selector }) => selector),
          key.selector,
        );
        const added = { ...key, state: 'new', activatedAt: null, retiredAt: null, removeAt: null } as const;
        return [...keys, added].toSorted((a, b) => a.createdAt - b.createdAt || (a.selector < b.selector ? -1 : 1));
      }),

    setState: (wanted) => change(wanted.domain, {}, (keys) => withState(keys, wanted)),

    remove: (domain, selector) =>
      change(domain, {}, (keys) => {
        checkDkimKeyRemovable(keys.find((key) => key.selector === selector)?.state);
        return keys.filter((key) => key.selector !== selector);
      }),

    active: (names) =>
      asStoreErrors(false, async () =>
        read(await dkimKeys.find({ _id: { $in: [...names] } }).toArray()).flatMap(({ _id: domain, keys }) =>
          keys
            .filter(({ state }) => state === 'active')
            .toSorted((a, b) => (a.algorithm > b.algorithm ? -1 : 1))
            .map(({ selector, algorithm, privateKey }) => ({ domain, selector, algorithm, privateKey })),
        ),
      ),

    due: (now, limit) =>
      asStoreErrors(false, async () => {
        const [awaiting, removable] = await Promise.all([
          dkimKeys.find({ awaiting: true }).limit(limit).toArray(),
          dkimKeys
            .find({ removeAt: { $lte: now } })
            .limit(limit)
            .toArray(),
        ]);
        const isRemovable = ({ removeAt }: DkimKey): boolean => removeAt !== null && removeAt <= now;
        return {
          awaiting: read(awaiting)
            .flatMap(shown)
            .filter(({ awaits }) => awaits !== null)
            .slice(0, limit),
          removable: read(removable).flatMap(shown).filter(isRemovable).slice(0, limit),
        };
      }),
  };
}

function withState(keys: readonly StoredDkimKey[], change: DkimKeyChange): readonly StoredDkimKey[] {
  const { selector, state, at, removeAt } = change;
  const changed = keys.find((key) => key.selector === selector);
  if (changed === undefined) throw noSuchDkimKey();
  if (changed.state === state) return keys;
  const retired = { state: 'retired', awaits: null, retiredAt: at, removeAt } as const;
  return keys.map((key) => {
    if (key === changed) {
      return state === 'retired'
        ? { ...key, ...retired }
        : { ...key, state, awaits: null, activatedAt: at, retiredAt: null, removeAt: null };
    }
    const isReplaced = state === 'active' && key.state === 'active' && key.algorithm === changed.algorithm;
    return isReplaced ? { ...key, ...retired } : key;
  });
}

function documentOf(domain: string, keys: readonly StoredDkimKey[]): DkimKeysDocument {
  const removeTimes = keys.map(({ removeAt }) => removeAt).filter((at) => at !== null);
  return {
    _id: domain,
    v: 1,
    keys,
    ...(keys.some(({ awaits }) => awaits !== null) ? { awaiting: true } : {}),
    ...(removeTimes.length === 0 ? {} : { removeAt: Math.min(...removeTimes) }),
  };
}

const shown = ({ _id: domain, keys }: DkimKeysDocument): DkimKey[] =>
  keys.map(({ privateKey: _, ...key }) => ({ domain, ...key }));
