import type { ClientSession, Collection } from 'mongodb';

interface Stored {
  _id: string;
}

/** Those of the documents that have bytes, or name a blob, as the session sees them; the bytes stay where they are. */
export async function hasBody<T extends Stored>(
  collection: Collection<T>,
  session: ClientSession,
  ids: ReadonlySet<string>,
): Promise<Set<string>> {
  if (ids.size === 0) return new Set();
  const found = await collection
    .aggregate<Stored>(
      [
        { $match: { _id: { $in: [...ids] } } },
        { $match: { $or: [{ blob: { $exists: true } }, { bytes: { $exists: true } }] } },
        { $project: { _id: 1 } },
      ],
      { session },
    )
    .toArray();
  return new Set(found.map(({ _id }) => _id));
}
