import type { Filter } from 'mongodb';
import type { DeliveryRow } from '../../../delivery/row.ts';
import type { DeliveryFilter } from '../../ports/deliveries.ts';
import type { MongoDatabase } from '../database.ts';
import { asStoreErrors } from '../write-errors.ts';
import { type DeliveryDocument, documentIdOf, toRow, withoutTrace } from './delivery-document.ts';

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
    const rows = await database.deliveries
      .find(conditionsOf(filter, below), { projection: withoutTrace, hint: indexOf(filter) })
      .sort({ _id: -1 })
      .limit(page.limit)
      .toArray();
    return rows.map(toRow);
  });
}

function conditionsOf(
  { acceptedBefore, error, ...equal }: DeliveryFilter,
  below: string | undefined,
): Filter<DeliveryDocument> {
  const conditions: Filter<DeliveryDocument> = { ...equal };
  if (below !== undefined) conditions._id = { $lt: below };
  if (acceptedBefore !== undefined) conditions.acceptedAt = { $lt: acceptedBefore };
  if (error !== undefined) {
    conditions.trouble = 1;
    conditions.lastReply = { $regex: RegExp.escape(error), $options: 'i' };
  }
  return conditions;
}

/** By name, so that the server isn't tempted to sort. The narrowest that is likely comes first. */
function indexOf(filter: DeliveryFilter): string {
  if (filter.recipient !== undefined) return 'deliveries_recipient';
  if (filter.sender !== undefined) return 'deliveries_sender';
  if (filter.destination !== undefined) return 'deliveries_destination';
  if (filter.domain !== undefined) return 'deliveries_domain';
  if (filter.state !== undefined) return 'deliveries_state';
  return filter.error === undefined ? '_id_' : 'deliveries_trouble';
}

/**
 * An id past all rows accepted before `at`, so that the list needn't walk over all that came since. Ids begin with the time of their making (RFC 9562 §5.7),
 * which is that of acceptance but for the slack.
 */
async function lastIdBefore({ deliveries }: MongoDatabase, at: number): Promise<string | undefined> {
  const [last] = await deliveries
    .find({ acceptedAt: { $lt: at } }, { projection: { _id: 1 }, hint: 'deliveries_accepted' })
    .sort({ acceptedAt: -1 })
    .limit(1)
    .toArray();
  if (last === undefined) return undefined;
  const madeAt = Number.parseInt(last._id.slice(0, 13).replace('-', ''), 16);
  const bound = (madeAt + orderSlackMs).toString(16).padStart(12, '0');
  return Number.isNaN(madeAt) ? '~' : `${bound.slice(0, 8)}-${bound.slice(8)}`;
}

const orderSlackMs = 600_000;
