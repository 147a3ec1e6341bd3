import { randomUUID } from 'node:crypto';
import type { AnyBulkWriteOperation, Filter } from 'mongodb';
import { partitionCount } from '../../../delivery/row.ts';
import type { PartitionLease, Partitions } from '../../ports/partitions.ts';
import type { MongoDatabase } from '../database.ts';
import { durable } from '../transaction.ts';
import { asStoreErrors, isDuplicateKey } from '../write-errors.ts';

/** One of the 256 partitions. Claims, renewals and takeovers all write this row, so that of two at once one fails. */
export interface PartitionDocument {
  /** 0…255 */
  _id: number;
  v: 1;
  owner: string | null;
  /** Grows with each acquisition. */
  epoch: number;
  /** By the server's clock. */
  leaseUntil: Date;
  /** Grows with each claim. */
  claimSeq: number;
  /** Names the call that acquired it last. */
  acquiredBy?: string;
}

export interface OwnerDocument {
  /** Its name. */
  _id: string;
  v: 1;
  aliveUntil: Date;
}

/** Makes the rows that are missing. */
export async function makePartitions({ partitions }: MongoDatabase): Promise<void> {
  if ((await partitions.countDocuments({})) >= partitionCount) return;
  const rows = Array.from(
    { length: partitionCount },
    (_, n): PartitionDocument => ({ _id: n, v: 1, owner: null, epoch: 0, leaseUntil: new Date(0), claimSeq: 0 }),
  );
  try {
    await partitions.insertMany(rows, { ordered: false });
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
}

/** Only where the lease of `owner` under these epochs hasn't ended by the server's clock. */
export function heldLeases(owner: string, leases: readonly PartitionLease[]): Filter<PartitionDocument> {
  return { ...leasesOf(owner, leases), $expr: { $gt: ['$leaseUntil', '$$NOW'] } };
}

export function mongoPartitions(database: MongoDatabase): Partitions {
  const { partitions, owners } = database;
  const bulk = async (operations: AnyBulkWriteOperation<PartitionDocument>[]): Promise<number> => {
    if (operations.length === 0) return 0;
    // Single updates, which the driver may send again when a reply is lost: an update of many it may not.
    return (await partitions.bulkWrite(operations, { ordered: false, writeConcern: durable })).matchedCount;
  };

  return {
    acquire: ({ owner, partitions: wanted, leaseMs }) =>
      asStoreErrors(true, async () => {
        const acquiredBy = randomUUID();
        const ids = [...new Set(wanted)];
        await bulk(
          ids.map((_id) => ({
            updateOne: {
              filter: { _id, $or: [{ owner: null }, { $expr: { $lte: ['$leaseUntil', '$$NOW'] } }] },
              update: [
                {
                  $set: {
                    owner: { $literal: owner },
                    epoch: { $add: ['$epoch', 1] },
                    leaseUntil: inMs(leaseMs),
                    acquiredBy,
                  },
                },
              ],
            },
          })),
        );
        const got = await partitions
          .find({ _id: { $in: ids }, acquiredBy, owner }, { projection: { epoch: 1 } })
          .toArray();
        return got
          .map(({ _id: partition, epoch }) => ({ partition, epoch }))
          .toSorted((a, b) => a.partition - b.partition);
      }),

    // A lease that has ended but that nobody has taken is renewed too: the epoch says that nobody was between.
    renew: ({ owner, leases, leaseMs }) =>
      asStoreErrors(true, async () => {
        const update = [{ $set: { leaseUntil: inMs(leaseMs) } }];
        const matched = await bulk(
          leases.map(({ partition, epoch }) => ({ updateOne: { filter: { _id: partition, owner, epoch }, update } })),
        );
        if (matched === leases.length) return leases.map(({ partition, epoch }) => ({ partition, epoch }));
        if (matched === 0) return [];
        const ours = await partitions.find(leasesOf(owner, leases), { projection: { epoch: 1 } }).toArray();
        return ours.map(({ _id: partition, epoch }) => ({ partition, epoch }));
      }),

    release: ({ owner, leases }) =>
      asStoreErrors(true, async () => {
        const update = { $set: { owner: null, leaseUntil: new Date(0) } };
        await bulk(
          leases.map(({ partition, epoch }) => ({ updateOne: { filter: { _id: partition, owner, epoch }, update } })),
        );
      }),

    list: () =>
      asStoreErrors(false, async () => {
        const rows = await partitions
          .aggregate<{ _id: number; owner: string | null; epoch: number; remainingMs: number }>([
            { $sort: { _id: 1 } },
            { $project: { owner: 1, epoch: 1, remainingMs: { $max: [0, { $subtract: ['$leaseUntil', '$$NOW'] }] } } },
          ])
          .toArray();
        return rows.map(({ _id: partition, owner, epoch, remainingMs }) => ({
          partition,
          owner,
          epoch,
          remainingMs: Number(remainingMs),
        }));
      }),

    announce: ({ owner, leaseMs }) =>
      asStoreErrors(true, async () => {
        const update = [{ $set: { v: { $literal: 1 }, aliveUntil: inMs(leaseMs) } }];
        await owners.updateOne({ _id: owner }, update, { upsert: true, writeConcern: durable });
        const alive = await owners
          .find({ $expr: { $gt: ['$aliveUntil', '$$NOW'] } }, { projection: { _id: 1 } })
          .sort({ _id: 1 })
          .toArray();
        return alive.map(({ _id }) => _id);
      }),
  };
}

/** Dates of pipelines: the server's clock, never ours. */
export const inMs = (ms: number): object => ({ $add: ['$$NOW', ms] });

/** Leases of one epoch share one clause. */
function leasesOf(owner: string, leases: readonly PartitionLease[]): Filter<PartitionDocument> {
  const byEpoch = new Map<number, number[]>();
  for (const { partition, epoch } of leases) byEpoch.set(epoch, [...(byEpoch.get(epoch) ?? []), partition]);
  const ids = leases.map(({ partition }) => partition);
  return { _id: { $in: ids }, owner, $or: [...byEpoch].map(([epoch, of]) => ({ epoch, _id: { $in: of } })) };
}
