import type { DeliveryRow } from '../../../delivery/row.ts';
import type { DeliveryFilter } from '../../ports/deliveries.ts';
import type { Connection, SqlValue } from '../engine/connection.ts';
import { bucketShift, parseDeliveryId, stateCodes, targetsPerMessage } from './delivery-codes.ts';
import { type RowColumns, rowColumns, toRow } from './delivery-columns.ts';
import { keyOf } from './delivery-rows.ts';

export const reads = { 'deliveries.list': list };

/**
 * Newest first. Each filter has its index; what remains is looked at row by row. Rows that wait for their first attempt, or are in it, are not in the
 * indexes of addresses (schema/queue.ts says why): those are looked through beside, and the two are merged.
 */
function list(
  connection: Connection,
  { filter, limit, cursor }: { filter: DeliveryFilter; limit: number; cursor?: string },
): DeliveryRow[] {
  const message = filter.messageId === undefined ? undefined : keyOf(connection, `${filter.messageId}/0`);
  if (filter.messageId !== undefined && message === undefined) return [];
  const below = Math.min(upperBound(connection, filter, cursor), (message ?? endOfKeys) + targetsPerMessage);
  const from = Math.max(message ?? 0, lowerBound(connection, filter));
  const bounds = isBounded(filter) ? [from, below] : [below];
  const { sql, params, bucketed } = listQuery(filter);
  if (!bucketed) return connection.all<RowColumns>(sql, ...params, ...bounds, limit).map((columns) => toRow(columns));
  const rows: RowColumns[] = [];
  const last = connection.get<{ id: number | null }>('SELECT max(id) AS id FROM deliveries')?.id ?? 0;
  const first = connection.get<{ id: number | null }>('SELECT min(id) AS id FROM deliveries')?.id ?? 0;
  const oldest = bucketOf(Math.max(first, from));
  // One bucket, then two, then four: who has much mail is found in the first ones, and who has little is looked for in few steps.
  let newest = bucketOf(Math.min(below - 1, last));
  for (let many = 1; newest >= oldest && rows.length < limit; many = Math.min(2 * many, bucketsPerStep)) {
    const until = Math.max(oldest, newest - many + 1);
    rows.push(...connection.all<RowColumns>(sql, newest, until, ...params, ...bounds, limit - rows.length));
    newest = until - 1;
  }
  for (const fresh of freshQueries(filter))
    rows.push(...connection.all<RowColumns>(fresh.sql, ...fresh.params, ...bounds, limit));
  return rows
    .toSorted((a, b) => b.id - a.id)
    .slice(0, limit)
    .map((columns) => toRow(columns));
}

/** The same filter over rows before the end of their first attempt. Parameters: `params`, the bounds of keys (see `isBounded`), the limit. */
export function freshQueries(filter: DeliveryFilter): { sql: string; params: SqlValue[] }[] {
  const addresses = addressColumns.filter((column) => filter[column] !== undefined);
  const { conditions, params } = otherConditions(filter);
  const all = ['attempts = 0', ...addresses.map((column) => `+${column} = ?`), ...conditions, keysWithin(filter)].join(
    ' AND ',
  );
  const found = [...addresses.map((column) => filter[column] ?? ''), ...params];
  const select = (from: string, state: string): string =>
    `SELECT ${rowColumns} FROM ${from} WHERE ${state} AND ${all} ORDER BY id DESC LIMIT ?`;
  const queries: { sql: string; params: SqlValue[] }[] = [];
  if (filter.state === undefined || filter.state === 'queued') {
    queries.push({ sql: select('deliveries', 'state = 0 AND state NOT IN (1, 6)'), params: found });
  }
  if (filter.state === undefined || filter.state === 'leased') {
    queries.push({ sql: select('deliveries INDEXED BY deliveries_leased', 'state = 1'), params: found });
  }
  return queries;
}

const addressColumns = ['recipient', 'sender', 'destination', 'domain'] as const;

/** What no index of addresses answers, whatever the state. */
function otherConditions(filter: DeliveryFilter): { conditions: string[]; params: SqlValue[] } {
  const conditions: string[] = [];
  const params: SqlValue[] = [];
  if (filter.error !== undefined) {
    conditions.push('+last_reply_class > 0 AND instr(lower(last_reply), lower(?)) > 0');
    params.push(filter.error);
  }
  if (filter.acceptedBefore !== undefined) {
    conditions.push('accepted_at < ?');
    params.push(filter.acceptedBefore);
  }
  if (filter.acceptedAfter !== undefined) {
    conditions.push('accepted_at >= ?');
    params.push(filter.acceptedAfter);
  }
  return { conditions, params };
}

/** Keys have a lower bound too, which comes before the upper one among the parameters. */
const isBounded = ({ messageId, acceptedAfter }: DeliveryFilter): boolean =>
  messageId !== undefined || acceptedAfter !== undefined;

const keysWithin = (filter: DeliveryFilter): string => (isBounded(filter) ? 'id >= ? AND id < ?' : 'id < ?');

/** Parameters: the newest and the oldest bucket when `bucketed`, then `params`, then the bounds of keys (see `isBounded`), then the limit. */
export function listQuery(filter: DeliveryFilter): { sql: string; params: SqlValue[]; bucketed: boolean } {
  const conditions: string[] = [];
  const params: SqlValue[] = [];
  let bucketed = false;
  let from = 'deliveries';
  for (const column of addressColumns) {
    const value = filter[column];
    if (value === undefined) continue;
    // The first of them finds the rows; SQLite must not be tempted by the index of another.
    conditions.push(bucketed ? `+${column} = ?` : `(id >> ${bucketShift}) = bucket AND ${column} = ? AND ${triedRows}`);
    if (!bucketed) from = `buckets CROSS JOIN deliveries INDEXED BY deliveries_${column}`;
    params.push(value);
    bucketed = true;
  }
  if (filter.state !== undefined) {
    const code = stateCodes[filter.state];
    // The conditions of the partial indexes, in their words; of delivered rows, which are most, the newest are found soon anyway.
    if (bucketed || filter.state === 'delivered') conditions.push(`+state = ${code}`);
    else conditions.push(`state = ${code}${filter.state === 'leased' ? '' : ' AND state NOT IN (1, 6)'}`);
    if (filter.state === 'leased' && !bucketed) from = 'deliveries INDEXED BY deliveries_leased';
  }
  const others = otherConditions(filter);
  // Alone, the text of errors has an index of its own; `+` keeps it from being taken for another.
  const byError = !bucketed && filter.state === undefined;
  conditions.push(
    ...others.conditions.map((condition) => (byError ? condition.replace(/^\+/, '') : condition)),
    keysWithin(filter),
  );
  params.push(...others.params);
  const select = `SELECT ${rowColumns} FROM ${from} WHERE ${conditions.join(' AND ')} ORDER BY id DESC LIMIT ?`;
  return { sql: bucketed ? `${bucketsSql} ${select}` : select, params, bucketed };
}

/** The condition of the partial indexes of addresses, in their words. */
const triedRows = '(attempts > 0 OR state > 1)';

const bucketsSql = `WITH RECURSIVE buckets (bucket) AS
  (SELECT ? UNION ALL SELECT bucket - 1 FROM buckets WHERE bucket > ?)`;
/** Steps of one query: half a million rows at most. */
const bucketsPerStep = 2_048;

const bucketOf = (key: number): number => Math.floor(key / 2 ** bucketShift);

/** Keys of the page are below this. */
function upperBound(connection: Connection, filter: DeliveryFilter, cursor: string | undefined): number {
  const byTime = filter.acceptedBefore === undefined ? endOfKeys : keyAfter(connection, filter.acceptedBefore);
  if (cursor === undefined) return byTime;
  return Math.min(byTime, keyOf(connection, cursor) ?? keyNear(connection, cursor));
}

/** Keys of what was accepted in time are not below this. */
function lowerBound(connection: Connection, { acceptedAfter }: DeliveryFilter): number {
  return acceptedAfter === undefined
    ? 0
    : Math.max(0, keyAfter(connection, acceptedAfter) - 2 * orderSlack * targetsPerMessage);
}

/** The message of the cursor has gone since: ids grow with time, so its neighbour says where it was. */
function keyNear(connection: Connection, cursor: string): number {
  const messageId = parseDeliveryId(cursor)?.messageId ?? cursor;
  const older = connection.get<{ seq: number }>(
    'SELECT seq FROM accepts WHERE message_id < ? ORDER BY message_id DESC LIMIT 1',
    messageId,
  );
  return older === undefined ? 0 : (older.seq + 1) * targetsPerMessage;
}

/**
 * A key past all rows accepted before `at`, by bisection: messages are numbered in the order of their commits, which is that of acceptance but for those
 * that come at the same moment, and the slack is wider than what can wait for a commit.
 */
function keyAfter(connection: Connection, at: number): number {
  const newest = connection.get<{ seq: number | null }>('SELECT max(seq) AS seq FROM accepts')?.seq ?? 0;
  let low = 0;
  let high = newest + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const row = connection.get<{ seq: number; acceptedAt: number }>(
      'SELECT seq, accepted_at AS acceptedAt FROM accepts WHERE seq >= ? ORDER BY seq LIMIT 1',
      middle,
    );
    if (row === undefined || row.acceptedAt >= at) high = middle;
    else low = row.seq + 1;
  }
  return (low + orderSlack) * targetsPerMessage;
}

const orderSlack = 50_000;
const endOfKeys = Number.MAX_SAFE_INTEGER;
