import type { Deliveries } from '../../ports/deliveries.ts';
import type { MongoDatabase } from '../database.ts';
import { durable } from '../transaction.ts';
import { asStoreErrors } from '../write-errors.ts';
import { forgetAccepts } from './body-collection.ts';
import { claim, expireLeases, renew } from './delivery-claims.ts';
import { countsOf } from './delivery-counts.ts';
import { destinationCounts } from './destination-counts.ts';
import { documentIdOf, toRow } from './delivery-document.ts';
import { due, expireRows, nextDueAt } from './delivery-due.ts';
import { list } from './delivery-list.ts';
import { record } from './delivery-outcomes.ts';
import { finishNotice, noteDelays, startNotice } from './delivery-notices.ts';
import { finishReport, owing, ofMessage, startReport } from './delivery-reports.ts';
import { steer } from './delivery-steer.ts';
import { mongoQueueAudit } from './queue-audit.ts';

/** The rows of the queue in MongoDB. */
export function mongoDeliveries(database: MongoDatabase): Deliveries {
  return {
    due: (query) => due(database, query),
    nextDueAt: (query) => nextDueAt(database, query),
    claim: (request) => claim(database, request),
    renew: (request) => renew(database, request),
    record: (outcomes) => record(database, outcomes),
    expireLeases: (query) => expireLeases(database, query),
    expireRows: (query) => expireRows(database, query),
    noteDelays: (query) => noteDelays(database, query),
    owing: (query) => owing(database, query),
    ofMessage: (messageId) => ofMessage(database, messageId),
    startReport: (request) => startReport(database, request),
    finishReport: (request) => finishReport(database, request),
    startNotice: (request) => startNotice(database, request),
    finishNotice: (request) => finishNotice(database, request),
    get: (id) => get(database, id),
    list: (filter, page) => list(database, filter, page),
    counts: countsOf(database),
    destinationCounts: (destinations) => destinationCounts(database, destinations),
    async steer({ id, ...request }) {
      const [steered] = await steer(database, [id], request);
      return steered?.answer ?? 'absent';
    },
    steerMany: ({ ids, ...request }) => steer(database, ids, request),
    audit: mongoQueueAudit(database),
    purge: (query) => purge(database, query),
  };
}

async function get({ deliveries, newer }: MongoDatabase, id: string): ReturnType<Deliveries['get']> {
  const _id = documentIdOf(id);
  if (_id === undefined) return undefined;
  return asStoreErrors(false, async () => {
    const found = await deliveries.findOne({ _id });
    if (found === null || newer.readable('deliveries', [found]).length === 0) return undefined;
    const { trace, ...delivery } = found;
    return { row: toRow(delivery), attempts: trace };
  });
}

/** Final rows don't change any more, so what was found may be deleted without looking again. */
async function purge(database: MongoDatabase, { before, limit }: Parameters<Deliveries['purge']>[0]): Promise<number> {
  const { deliveries, newer } = database;
  let removed = 0;
  while (removed < limit) {
    const step = Math.min(purgeStep, limit - removed);
    const gone = await asStoreErrors(true, async () => {
      const old = await newer.readAround('deliveries', (only) =>
        deliveries
          .find(
            { done: 1, updatedAt: { $lt: before }, ...only },
            { projection: { v: 1, messageId: 1 }, hint: 'deliveries_done' },
          )
          .sort({ updatedAt: 1 })
          .limit(step)
          .toArray(),
      );
      if (old.length === 0) return 0;
      await deliveries.deleteMany({ _id: { $in: old.map(({ _id }) => _id) }, done: 1 }, { writeConcern: durable });
      await forgetAccepts(database, [...new Set(old.map(({ messageId }) => messageId))]);
      return old.length;
    });
    removed += gone;
    if (gone < step) break;
  }
  return removed;
}

const purgeStep = 500;
