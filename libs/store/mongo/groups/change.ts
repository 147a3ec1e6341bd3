import type { Collection, Document, Filter } from 'mongodb';
import type { MongoDatabase } from '../database.ts';
import { isGone } from '../queue/partitions.ts';
import { newestReadable } from '../schema/version.ts';
import { durable } from '../transaction.ts';
import { isDuplicateKey } from '../write-errors.ts';
import { type DestinationDocument, type GroupDocument, hourOf } from './documents.ts';

/** One that a newer release wrote isn't found, and can't be made either. */
export const readable = { v: { $not: { $gt: newestReadable } } };

/**
 * One step on a group's row, which is made when it isn't there; answers the row after it, with `fields`. The driver sends it again when its reply is
 * lost, and the server answers what it did the first time.
 * @throws Refused (`newerDocument`)
 */
export async function changeGroup(
  { groups, newer }: MongoDatabase,
  step: { group: string; now: number; stages: Document[]; fields: readonly (keyof GroupDocument)[] },
): Promise<GroupDocument> {
  const { group, now, stages, fields } = step;
  const used = { v: { $ifNull: ['$v', { $literal: 1 }] }, usedAt: { $max: ['$usedAt', hourOf(now)] } };
  const projection = Object.fromEntries(['v', 'usedAt', ...fields].map((field) => [field, 1]));
  for (let tries = 1; ; tries += 1) {
    try {
      const options = { upsert: true, returnDocument: 'after', projection } as const;
      const found = await groups.findOneAndUpdate({ _id: group, ...readable }, [{ $set: used }, ...stages], options);
      if (found !== null) return found;
    } catch (error) {
      if (!isDuplicateKey(error) || tries >= maxTries) throw error;
      newer.check('groups', await groups.findOne({ _id: group }, { projection: { v: 1 } }));
    }
  }
}

/** The same for destinations; those that a newer release wrote are left alone. */
export async function changeDestinations(
  { destinations, newer }: MongoDatabase,
  changes: ReadonlyMap<string, Partial<Pick<DestinationDocument, 'group' | 'paused'>>>,
  now: number,
): Promise<void> {
  const updates = [...changes].map(([_id, $set]) => ({
    updateOne: {
      filter: { _id, ...readable },
      update: { $set, $max: { seenAt: hourOf(now) }, $setOnInsert: { v: 1 as const } },
      upsert: true,
    },
  }));
  for (let tries = 1; updates.length > 0; tries += 1) {
    try {
      await destinations.bulkWrite(updates, { ordered: false });
      return;
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      const found = await destinations.find({ _id: { $in: [...changes.keys()] } }, { projection: { v: 1 } }).toArray();
      if (newer.readable('destinations', found).length < found.length) return;
      if (tries >= maxTries) throw error;
    }
  }
}

const maxTries = 5;

/** An update of many rows isn't sent again by the driver when its reply is lost; ours may be, once. */
export async function updateManyAgain<T extends Document>(
  collection: Collection<T>,
  filter: Filter<T>,
  update: Document[],
): Promise<void> {
  const send = () => collection.updateMany(filter, update, { writeConcern: durable });
  await send().catch((error: unknown) => {
    if (!isGone(error)) throw error;
    return send();
  });
}
