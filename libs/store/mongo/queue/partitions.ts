import { randomUUID } from 'node:crypto';
import { type Document, type Filter, MongoNetworkError, MongoServerError, type UpdateFilter } from 'mongodb';
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
  /** One update for all rows: 256 single ones cost ten times as much. The driver doesn't send it again when its reply is lost, but all of ours may be. */
  const updateAll = async (
    filter: Filter<PartitionDocument>,
    update: UpdateFilter<PartitionDocument> | Document[],
  ): Promise<number> => {
    const send = () => partitions.updateMany(filter, update, { writeConcern: durable });
    const { matchedCount } = await send().catch((error: unknown) => {
      if (!isGone(error)) throw error;
      return send();
    });
    return matchedCount;
  };

  return {
    acquire: ({ owner, partitions: wanted, leaseMs }) =>
      asStoreErrors(true, async () => {
        const acquiredBy = randomUUID();
        const ids = [...new Set(wanted)];
        const epoch = { $add: ['$epoch', 1] };
        // A repetition finds what it has got held, and the others as they are.
        await updateAll({ _id: { $in: ids }, $or: [{ owner: null }, { $expr: { $lte: ['$leaseUntil', '$$NOW'] } }] }, [
          { $set: { owner: { $literal: owner }, epoch, leaseUntil: inMs(leaseMs), acquiredBy } },
        ]);
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
        if (leases.length === 0) return [];
        const matched = await updateAll(leasesOf(owner, leases), [{ $set: { leaseUntil: inMs(leaseMs) } }]);
        if (matched === leases.length) return leases.map(({ partition, epoch }) => ({ partition, epoch }));
        if (matched === 0) return [];
        const ours = await partitions.find(leasesOf(owner, leases), { projection: { epoch: 1 } }).toArray();
        return ours.map(({ _id: partition, epoch }) => ({ partition, epoch }));
      }),

    release: ({ owner, leases }) =>
      asStoreErrors(true, async () => {
        if (leases.length === 0) return;
        await updateAll(leasesOf(owner, leases), { $set: { owner: null, leaseUntil: new Date(0) } });
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

/** The server is, or it is primary no more: PrimarySteppedDown, NotWritablePrimary, InterruptedDueToReplStateChange. */
export function isGone(error: unknown): boolean {
  if (error instanceof MongoNetworkError) return true;
  return error instanceof MongoServerError && [189, 10107, 11602].includes(Number(error.code));
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
