import type { Claim, DeliveryRow, ReplyClass } from '../../../delivery/row.ts';
import {
  type DeliveryEvent,
  type DeliveryStanding,
  type DeliveryState,
  isClaimable,
  transition,
} from '../../../delivery/state.ts';
import type { Connection } from '../engine/connection.ts';
import { type RowColumns, rowColumns, toRow } from './delivery-columns.ts';
import {
  parseDeliveryId,
  replyClassCodes,
  stateCodes,
  stateOf,
  targetsPerMessage,
  wantedCodes,
  wantedOf,
} from './delivery-codes.ts';

/** What a change of a delivery looks at. */
export interface Standing extends DeliveryStanding {
  key: number;
  partition: number;
  dueAt: number;
  expiresAt: number;
  report: number | null;
  claimOwner: string | null;
  claimEpoch: number | null;
  claimToken: string | null;
  leaseUntil: number | null;
}

/** The integer key of `<messageId>/<n>`; undefined when there is no such message. */
export function keyOf(connection: Connection, id: string): number | undefined {
  const parsed = parseDeliveryId(id);
  if (parsed === undefined) return undefined;
  const accept = connection.get<{ seq: number }>('SELECT seq FROM accepts WHERE message_id = ?', parsed.messageId);
  return accept === undefined ? undefined : accept.seq * targetsPerMessage + parsed.n;
}

export function standingOf(connection: Connection, key: number): Standing | undefined {
  const row = connection.get<StandingColumns>(`SELECT ${standingColumns} FROM deliveries WHERE id = ?`, key);
  if (row === undefined) return undefined;
  const { id, state, wanted, ...rest } = row;
  const standing: Standing = { key: id, state: stateOf(state), ...rest };
  if (wanted !== null) standing.wanted = wantedOf(wanted);
  return standing;
}

/** True when `claim` is the one that the row was last claimed under, whatever became of it since. */
export const isLastClaim = (standing: Standing, claim: Claim): boolean =>
  standing.claimToken === claim.token && standing.claimOwner === claim.owner && standing.claimEpoch === claim.epoch;

export const holds = (standing: Standing, claim: Claim): boolean =>
  standing.state === 'leased' && isLastClaim(standing, claim);

export interface Change {
  at: number;
  dueAt?: number;
  reply?: string;
  replyClass?: ReplyClass;
  report?: number;
  /** The claim that did it; null forgets the last one, so that it counts as stale from now on. Absent: as it was. */
  claim?: Claim | null;
  /** Of a row that becomes leased, by the store's monotonic clock. */
  leaseUntil?: number;
}

/** The only way a delivery changes its state: `next` comes from `transition`. Keeps lane and counts right. */
export function move(connection: Connection, standing: Standing, next: DeliveryStanding, change: Change): void {
  const dueAt = change.dueAt ?? standing.dueAt;
  const claim = change.claim === undefined ? lastClaim(standing) : change.claim;
  const values = [
    stateCodes[next.state],
    laneOf(next, dueAt, change.at),
    dueAt,
    next.attempts,
    next.wanted === undefined ? null : wantedCodes[next.wanted],
    change.report ?? standing.report,
    next.state === 'leased' ? (change.leaseUntil ?? standing.leaseUntil) : null,
    claim?.owner ?? null,
    claim?.epoch ?? null,
    claim?.token ?? null,
    change.at,
  ];
  if (change.reply === undefined) connection.run(moveSql, ...values, standing.key);
  else
    connection.run(moveWithReplySql, ...values, change.reply, replyClassCodes[change.replyClass ?? 'ok'], standing.key);
  if (next.state === standing.state) return;
  connection.count(stateCounter(standing.state), -1);
  connection.count(stateCounter(next.state), 1);
}

/** The counter of the rows in a state (see Connection.count). */
export const stateCounter = (state: DeliveryState): string => `deliveries.${state}`;

const setMoved = `UPDATE deliveries SET state = ?, lane = ?, due_at = ?, attempts = ?, wanted = ?, report = ?,
  lease_until = ?, claim_owner = ?, claim_epoch = ?, claim_token = ?, updated_at = ?`;
const moveSql = `${setMoved} WHERE id = ?`;
const moveWithReplySql = `${setMoved}, last_reply = ?, last_reply_class = ? WHERE id = ?`;

function lastClaim({ claimOwner: owner, claimEpoch: epoch, claimToken: token }: Standing): Claim | null {
  return owner === null || epoch === null || token === null ? null : { owner, epoch, token };
}

/** `event` on one row: its new form, or undefined when the row is gone or the event means nothing to it. */
export function apply(
  connection: Connection,
  key: number | undefined,
  event: DeliveryEvent,
  change: Change,
): DeliveryRow | undefined {
  const standing = key === undefined ? undefined : standingOf(connection, key);
  const next = standing === undefined ? undefined : transition(standing, event);
  if (standing === undefined || next === undefined) return undefined;
  move(connection, standing, next, change);
  return rowOf(connection, standing.key);
}

export function rowOf(connection: Connection, key: number): DeliveryRow | undefined {
  const columns = connection.get<RowColumns>(`SELECT ${rowColumns} FROM deliveries WHERE id = ?`, key);
  return columns === undefined ? undefined : toRow(columns);
}

export function rowsOfMessage(connection: Connection, messageId: string): DeliveryRow[] {
  const first = keyOf(connection, `${messageId}/0`);
  if (first === undefined) return [];
  return connection
    .all<RowColumns>(rowsOfMessageSql, first, first + targetsPerMessage - 1)
    .map((columns) => toRow(columns));
}

/** Where a row waits: see schema/queue.ts. */
export function laneOf(standing: DeliveryStanding, dueAt: number, now: number): number | null {
  if (!isClaimable(standing.state)) return null;
  return dueAt <= now ? 1 : 0;
}

/** Adds to the trace of a delivery, kept as long as its row. */
export function trace(
  connection: Connection,
  key: number,
  attempt: { at: number; event: string; reply: string; extra?: string },
): void {
  connection.run(
    `INSERT INTO attempts (delivery, k, at, event, reply, extra)
      VALUES (?1, (SELECT coalesce(max(k), 0) + 1 FROM attempts WHERE delivery = ?1), ?2, ?3, ?4, ?5)`,
    key,
    attempt.at,
    attempt.event,
    attempt.reply,
    attempt.extra ?? null,
  );
}

const rowsOfMessageSql = `SELECT ${rowColumns} FROM deliveries WHERE id BETWEEN ? AND ? ORDER BY id`;

const standingColumns = `id, state, attempts, wanted, partition, due_at AS dueAt, expires_at AS expiresAt, report,
  claim_owner AS claimOwner, claim_epoch AS claimEpoch, claim_token AS claimToken, lease_until AS leaseUntil`;

interface StandingColumns {
  id: number;
  state: number;
  attempts: number;
  wanted: number | null;
  partition: number;
  dueAt: number;
  expiresAt: number;
  report: number | null;
  claimOwner: string | null;
  claimEpoch: number | null;
  claimToken: string | null;
  leaseUntil: number | null;
}
