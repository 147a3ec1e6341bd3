import type { ClientSession, Filter } from 'mongodb';
import type { Claim, DeliveryRow } from '../../../delivery/row.ts';
import { transition } from '../../../delivery/state.ts';
import type { Deliveries } from '../../ports/deliveries.ts';
import type { PartitionLease } from '../../ports/partitions.ts';
import type { MongoDatabase } from '../database.ts';
import { durable, transact } from '../transaction.ts';
import { asStoreErrors } from '../write-errors.ts';
import { Changes, holds, moved, readDeliveries } from './delivery-change.ts';
import { type Delivery, type DeliveryDocument, documentIdOf, toRow, withoutTrace } from './delivery-document.ts';
import { heldLeases, inMs } from './partitions.ts';

type ClaimRequest = Parameters<Deliveries['claim']>[0];

/**
 * The claim writes the rows of the partitions in the transaction that writes the rows of the queue, so a takeover, which writes the same partition, conflicts
 * with it (promise 5). The partitions come last: what holds up a takeover is then as short as can be.
 */
export async function claim(database: MongoDatabase, request: ClaimRequest): Promise<readonly DeliveryRow[]> {
  const ids = request.ids.map(documentIdOf).filter((id) => id !== undefined);
  let leases: readonly PartitionLease[] = request.leases;
  for (let tries = 0; tries < maxTries; tries += 1) {
    if (leases.length === 0 || ids.length === 0) return [];
    const epochs = new Map(leases.map(({ partition, epoch }) => [partition, epoch]));
    try {
      const claimed = await transact(database.client, (session) =>
        claimHeld(database, session, { ...request, ids }, epochs),
      );
      const byId = new Map(claimed.map((delivery) => [delivery._id, toRow(delivery)]));
      return ids.flatMap((id) => byId.get(id) ?? []);
    } catch (error) {
      if (!(error instanceof LeasesLost)) throw error;
    }
    leases = await stillHeld(database, request.owner, leases);
  }
  return [];
}

/** A lease that doesn't hold: what was written goes back, and the claim begins again with those that hold. */
class LeasesLost extends Error {
  override readonly name = 'LeasesLost';
}

/** Leases end while we look: after so many looks the owner had better look after its leases. */
const maxTries = 4;

async function claimHeld(
  database: MongoDatabase,
  session: ClientSession,
  { owner, ids, token, leaseMs, now }: ClaimRequest,
  epochs: ReadonlyMap<number, number>,
): Promise<Delivery[]> {
  const claimed: Delivery[] = [];
  const fresh = new Map<number, Delivery[]>();
  for (const delivery of (await readDeliveries(database, ids, session)).values()) {
    const epoch = epochs.get(delivery.partition);
    if (epoch === undefined) continue;
    const ours: Claim = { owner, epoch, token };
    if (holds(delivery, ours)) {
      // Held under this very claim already: the reply of an earlier call was lost.
      claimed.push(delivery);
      continue;
    }
    const next = delivery.dueAt <= now ? transition(delivery, { kind: 'claim' }) : undefined;
    if (next === undefined) continue;
    const after = moved(delivery, next, { at: now, claim: ours });
    claimed.push(after);
    fresh.set(epoch, [...(fresh.get(epoch) ?? []), after]);
  }
  for (const [epoch, deliveries] of fresh) {
    // All rows of a claim change alike. The lease is by the server's clock, which only a pipeline knows.
    await database.deliveries.updateMany(
      { _id: { $in: deliveries.map(({ _id }) => _id) } },
      [
        {
          $set: {
            state: 'leased',
            claim: { $literal: { owner, epoch, token } },
            leaseUntil: inMs(leaseMs),
            updatedAt: { $literal: now },
          },
        },
        { $unset: ['lane', 'wanted'] },
      ],
      { session },
    );
  }
  const partitions = new Set([...fresh.values()].flat().map(({ partition }) => partition));
  const written = [...partitions].map((partition) => ({ partition, epoch: epochs.get(partition) ?? 0 }));
  if (written.length > 0) await writePartitions(database, session, owner, written);
  return claimed;
}

async function writePartitions(
  { partitions }: MongoDatabase,
  session: ClientSession,
  owner: string,
  leases: readonly PartitionLease[],
): Promise<void> {
  const { modifiedCount } = await partitions.updateMany(
    heldLeases(owner, leases),
    { $inc: { claimSeq: 1 } },
    { session },
  );
  if (modifiedCount !== leases.length) throw new LeasesLost();
}

async function stillHeld(
  { partitions }: MongoDatabase,
  owner: string,
  leases: readonly PartitionLease[],
): Promise<PartitionLease[]> {
  return asStoreErrors(false, async () => {
    const held = await partitions.find(heldLeases(owner, leases), { projection: { epoch: 1 } }).toArray();
    return held.map(({ _id: partition, epoch }) => ({ partition, epoch }));
  });
}

export async function renew(
  { deliveries }: MongoDatabase,
  { claim: { owner, epoch, token }, ids, leaseMs }: Parameters<Deliveries['renew']>[0],
): Promise<readonly string[]> {
  const known = new Map(ids.map((id) => [documentIdOf(id), id]));
  const named = [...known.keys()].filter((id) => id !== undefined);
  const ours: Filter<DeliveryDocument> = {
    _id: { $in: named },
    state: 'leased',
    'claim.owner': owner,
    'claim.epoch': epoch,
    'claim.token': token,
  };
  return asStoreErrors(true, async () => {
    const { matchedCount } = await deliveries.updateMany(ours, [{ $set: { leaseUntil: inMs(leaseMs) } }], {
      writeConcern: durable,
    });
    if (matchedCount === 0) return [];
    if (matchedCount === ids.length) return ids;
    const held = await deliveries.find(ours, { projection: { _id: 1 } }).toArray();
    const still = new Set(held.map(({ _id }) => _id));
    return ids.filter((id) => still.has(documentIdOf(id) ?? ''));
  });
}

export async function expireLeases(
  database: MongoDatabase,
  { partitions, now, limit }: Parameters<Deliveries['expireLeases']>[0],
): Promise<readonly DeliveryRow[]> {
  if (partitions.length === 0 || limit <= 0) return [];
  const looked = await asStoreErrors(false, () => findEnded(database, partitions, limit));
  if (looked.length === 0) return [];
  return transact(database.client, async (session) => {
    // Rows and holders as they are at one moment: who asks may have been frozen since it looked, and the rows be leased by the new holder.
    const ended = await findEnded(database, partitions, limit, session);
    const changes = new Changes();
    const rows = ended.flatMap((delivery) => {
      const next = transition(delivery, { kind: 'leaseEnded' });
      if (next === undefined) return [];
      // The claim is forgotten, so that whatever its holder still brings is stale.
      const after = moved(delivery, next, { at: now, claim: null });
      changes.put(after);
      return [toRow(after)];
    });
    await changes.write(database, session);
    return rows;
  });
}

/** Leases that have ended by the server's clock, and local ones of others than the partition's holder. */
async function findEnded(
  { partitions, deliveries, newer }: MongoDatabase,
  wanted: readonly number[],
  limit: number,
  session?: ClientSession,
): Promise<readonly Delivery[]> {
  const within = session === undefined ? {} : { session };
  const holders = await partitions
    .find(
      { _id: { $in: [...wanted] }, owner: { $ne: null }, $expr: { $gt: ['$leaseUntil', '$$NOW'] } },
      { ...within, projection: { owner: 1 } },
    )
    .toArray();
  const byOwner = new Map<string, number[]>();
  for (const { _id, owner } of holders) {
    if (owner !== null) byOwner.set(owner, [...(byOwner.get(owner) ?? []), _id]);
  }
  const orphans = [...byOwner].map(
    ([owner, of]): Filter<DeliveryDocument> => ({
      partition: { $in: of },
      'claim.owner': { $ne: owner },
      kind: { $ne: 'remote' },
    }),
  );
  return newer.readAround('deliveries', (only) =>
    deliveries
      .find(
        {
          state: 'leased',
          partition: { $in: [...wanted] },
          $or: [{ $expr: { $lte: ['$leaseUntil', '$$NOW'] } }, ...orphans],
          ...only,
        },
        { ...within, projection: withoutTrace, hint: 'deliveries_leased' },
      )
      .limit(limit)
      .toArray(),
  );
}
