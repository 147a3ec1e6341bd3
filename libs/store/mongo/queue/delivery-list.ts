import type { Filter } from 'mongodb';
import type { DeliveryRow } from '../../../delivery/row.ts';
import type { DeliveryFilter } from '../../ports/deliveries.ts';
import type { MongoDatabase } from '../database.ts';
import { asStoreErrors } from '../write-errors.ts';
import {
  type DeliveryDocument,
  documentIdOf,
  idsOfMessage,
  statesWithIndex,
  termOf,
  toRow,
  withoutTrace,
} from './delivery-document.ts';

/** Newest first. Each filter has its index, in the order of the list; what remains is looked at row by row. */
export function list(
  database: MongoDatabase,
  filter: DeliveryFilter,
  page: { limit: number; cursor?: string },
): Promise<readonly DeliveryRow[]> {
  return asStoreErrors(false, async () => {
    const { acceptedBefore } = filter;
    const newest = acceptedBefore === undefined ? undefined : await lastIdBefore(database, acceptedBefore);
    if (acceptedBefore !== undefined && newest === undefined) return [];
    const bounds = [page.cursor === undefined ? undefined : (documentIdOf(page.cursor) ?? page.cursor), newest];
    const below = bounds.filter((bound) => bound !== undefined).toSorted()[0];
    const { deliveries, newer } = database;
    const rows = await newer.readAround('deliveries', (only) =>
      deliveries
        .find({ ...conditionsOf(filter, below), ...only }, { projection: withoutTrace, hint: indexOf(filter) })
        .sort({ _id: -1 })
        .limit(page.limit)
        .toArray(),
    );
    return rows.map(toRow);
  });
}

function conditionsOf(filter: DeliveryFilter, below: string | undefined): Filter<DeliveryDocument> {
  const { acceptedBefore, acceptedAfter, messageId, error, state } = filter;
  const conditions: Filter<DeliveryDocument> = {};
  const terms = termsOf(filter);
  if (terms.length > 0) conditions.terms = { $all: terms };
  if (state !== undefined) conditions.state = state;
  if (below !== undefined) conditions._id = { $lt: below };
  if (messageId !== undefined) {
    const { $gt, $lt } = idsOfMessage(messageId);
    conditions._id = { $gt, $lt: below !== undefined && below < $lt ? below : $lt };
  }
  if (acceptedBefore !== undefined || acceptedAfter !== undefined)
    conditions.acceptedAt = {
      ...(acceptedBefore !== undefined && { $lt: acceptedBefore }),
      ...(acceptedAfter !== undefined && { $gte: acceptedAfter }),
    };
  if (error !== undefined) {
    conditions.trouble = 1;
    conditions.lastReply = { $regex: RegExp.escape(error), $options: 'i' };
  }
  return conditions;
}

/** The one that is likely to be the narrowest comes first: the index is walked by it. */
function termsOf({ recipient, sender, destination, domain }: DeliveryFilter): string[] {
  return Object.entries({ recipient, sender, destination, domain }).flatMap(([field, value]) =>
    value === undefined ? [] : termOf(field, value),
  );
}

/** By name, so that the server isn't tempted to sort. */
function indexOf(filter: DeliveryFilter): string {
  if (filter.messageId !== undefined) return '_id_';
  if (termsOf(filter).length > 0) return 'deliveries_terms';
  if (filter.state !== undefined && statesWithIndex.includes(filter.state)) return 'deliveries_state';
  // Sorted in memory: no more rows than the workers hold.
  if (filter.state === 'leased') return 'deliveries_leased';
  return filter.error === undefined ? '_id_' : 'deliveries_trouble';
}

/**
 * An id past all rows accepted before `at`, by bisection, so that the list needn't walk over all that came since. Ids begin with the time of their making (RFC
 * 9562 §5.7), which is that of acceptance but for the slack. Undefined when there are no rows.
 */
async function lastIdBefore({ deliveries }: MongoDatabase, at: number): Promise<string | undefined> {
  const edge = async (order: 1 | -1): Promise<string | undefined> =>
    (await deliveries.findOne({}, { projection: { _id: 1 }, sort: { _id: order }, hint: '_id_' }))?._id;
  const [first, last] = await Promise.all([edge(1), edge(-1)]);
  if (first === undefined || last === undefined) return undefined;
  let low = madeAt(first);
  let high = madeAt(last) + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const row = await deliveries.findOne(
      { _id: { $gte: idOfTime(middle) } },
      { projection: { acceptedAt: 1 }, sort: { _id: 1 }, hint: '_id_' },
    );
    if (row === null || row.acceptedAt >= at) high = middle;
    else low = Math.max(middle, madeAt(row._id)) + 1;
  }
  return idOfTime(low + orderSlackMs);
}

/** The first 48 bits of a UUIDv7, ms. */
const madeAt = (id: string): number => Number.parseInt(id.slice(0, 13).replace('-', ''), 16);

function idOfTime(ms: number): string {
  const hex = ms.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}

const orderSlackMs = 600_000;
