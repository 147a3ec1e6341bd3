import type { Filter } from 'mongodb';
import { isLocalDestination, partitionOf } from '../../../delivery/partition.ts';
import type { DeliveryRow } from '../../../delivery/row.ts';
import { transition } from '../../../delivery/state.ts';
import type { Deliveries } from '../../ports/deliveries.ts';
import type { MongoDatabase } from '../database.ts';
import type { OnlyReadable } from '../newer-documents.ts';
import { durable } from '../transaction.ts';
import { asStoreErrors } from '../write-errors.ts';
import { changeDeliveries, moved } from './delivery-change.ts';
import { type Delivery, type DeliveryDocument, toRow } from './delivery-document.ts';
import { ofChunks } from './partition-chunks.ts';

type DueQuery = Parameters<Deliveries['due']>[0];

export function due(database: MongoDatabase, query: DueQuery): Promise<readonly DeliveryRow[]> {
  if (query.partitions.length === 0 || query.limit <= 0) return Promise.resolve([]);
  return asStoreErrors(false, async () => {
    await ripen(database, query);
    const destinations = await readyDestinations(database, query);
    const rows: DeliveryRow[] = [];
    for (let at = 0; at < destinations.length && rows.length < query.limit; at += destinationsAtOnce) {
      const some = destinations.slice(at, at + destinationsAtOnce);
      const first = await database.newer.readAround('deliveries', (only) => firstOfEach(database, query, some, only));
      rows.push(...first.map(toRow));
    }
    return rows.slice(0, query.limit);
  });
}

/** Rows that have fallen due go to lane 1, where the ready ones of a destination are read in their order. */
async function ripen({ deliveries, newer }: MongoDatabase, { partitions, now }: DueQuery): Promise<void> {
  for (let round = 0; round < maxRipeningRounds; round += 1) {
    const ripe = await newer.readAround('deliveries', (only) =>
      deliveries
        .find(
          { lane: 0, partition: { $in: [...partitions] }, dueAt: { $lte: now }, ...only },
          { projection: { v: 1 }, hint: 'deliveries_waiting' },
        )
        .limit(ripenStep)
        .toArray(),
    );
    if (ripe.length === 0) return;
    await deliveries.updateMany(
      // Claimed meanwhile and put off again, it isn't due: whoever looked may have been frozen since.
      { _id: { $in: ripe.map(({ _id }) => _id) }, lane: 0, dueAt: { $lte: now } },
      { $set: { lane: 1 } },
      { writeConcern: durable },
    );
    if (ripe.length < ripenStep) return;
  }
}

const ripenStep = 1_000;
const maxRipeningRounds = 20;

/** In steps of the index, one for each destination, however many rows it has. It begins at another place each time, so that with more work than `limit` none is left out for ever. */
async function readyDestinations(
  { deliveries }: MongoDatabase,
  { partitions, limit, destinations, except }: DueQuery,
): Promise<string[]> {
  const ready = await deliveries.distinct('destination', { lane: 1, partition: { $in: [...partitions] } });
  const all = ready.filter((name) => {
    const isWanted = destinations === undefined || isLocalDestination(name) === (destinations === 'local');
    return isWanted && except?.has(name) !== true;
  });
  const start = Math.floor(Math.random() * all.length);
  return [...all.slice(start), ...all.slice(0, start)].slice(0, limit);
}

/** The first rows of many destinations in one round trip. */
async function firstOfEach(
  { partitions: startingPoint }: MongoDatabase,
  { now, perDestination, limit }: DueQuery,
  destinations: readonly string[],
  only: OnlyReadable,
): Promise<Delivery[]> {
  const wanted = destinations.map((destination) => ({ destination, partition: partitionOf(destination) }));
  // $documents would begin at no collection, and MongoDB then asks for the right to read every one of the database.
  const found = await startingPoint
    .aggregate<{ rows: Delivery[] }>([
      { $match: { _id: 0 } },
      { $project: { wanted: { $literal: wanted } } },
      { $unwind: '$wanted' },
      {
        $lookup: {
          from: 'deliveries',
          as: 'rows',
          let: { destination: '$wanted.destination', partition: '$wanted.partition' },
          pipeline: [
            {
              $match: {
                lane: 1,
                dueAt: { $lte: now },
                ...only,
                $expr: {
                  $and: [{ $eq: ['$partition', '$$partition'] }, { $eq: ['$destination', '$$destination'] }],
                },
              },
            },
            { $sort: { priority: 1, rank: 1 } },
            { $limit: Math.min(perDestination, limit) },
            { $project: { trace: 0 } },
          ],
        },
      },
      { $project: { rows: 1 } },
    ])
    .toArray();
  return found.flatMap(({ rows }) => rows);
}

const destinationsAtOnce = 100;

export function nextDueAt(
  database: MongoDatabase,
  { partitions, now }: Parameters<Deliveries['nextDueAt']>[0],
): Promise<number | undefined> {
  return asStoreErrors(false, () => firstWaiting(database, partitions, now));
}

/** The first due time past `after` (ms) of rows that aren't due yet. */
export async function firstWaiting(
  { deliveries }: MongoDatabase,
  partitions: readonly number[],
  after: number,
): Promise<number | undefined> {
  const found = await ofChunks(partitions, (chunk) =>
    deliveries
      .find(
        { lane: 0, partition: { $in: chunk }, dueAt: { $gt: after } },
        { projection: { _id: 0, dueAt: 1 }, hint: 'deliveries_waiting' },
      )
      .sort({ dueAt: 1 })
      .limit(1)
      .toArray(),
  );
  return found.length === 0 ? undefined : Math.min(...found.map(({ dueAt }) => dueAt));
}

export async function expireRows(
  database: MongoDatabase,
  { partitions, now, limit }: Parameters<Deliveries['expireRows']>[0],
): Promise<readonly DeliveryRow[]> {
  if (partitions.length === 0 || limit <= 0) return [];
  const waiting = { lane: { $gte: 0 }, partition: { $in: [...partitions] } } as const;
  const past = { alarmAt: { $lte: now }, expiresAt: { $lte: now } };
  // Rows that the release before wrote have no alarm.
  const expired = [
    ...(await findWaiting(database, { ...waiting, ...past }, limit)),
    ...(await findWaiting(database, { ...waiting, alarmAt: { $exists: false }, expiresAt: { $lte: now } }, limit)),
  ];
  if (expired.length === 0) return [];
  const ids = expired.map(({ _id }) => _id);
  return changeDeliveries(database, ids, (found, changes) =>
    [...found.values()].flatMap((delivery) => {
      const next = transition(delivery, { kind: 'expired' });
      if (next === undefined) return [];
      const after = moved(delivery, next, { at: now });
      changes.put(after);
      return [toRow(after)];
    }),
  );
}

/** Waiting rows by their alarm. */
export function findWaiting(
  { deliveries, newer }: MongoDatabase,
  filter: Filter<DeliveryDocument>,
  limit: number,
): Promise<readonly Pick<Delivery, '_id' | 'v'>[]> {
  return asStoreErrors(false, () =>
    newer.readAround('deliveries', (only) =>
      deliveries
        .find({ ...filter, ...only }, { projection: { v: 1 }, hint: 'deliveries_alarm' })
        .limit(limit)
        .toArray(),
    ),
  );
}
