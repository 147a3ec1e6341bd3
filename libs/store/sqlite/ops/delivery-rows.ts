import type { Claim, DeliveryRow, ReplyClass } from '../../../delivery/row.ts';
import {
  type DeliveryEvent,
  type DeliveryStanding,
  type DeliveryState,
  isClaimable,
  type Reached,
  transition,
} from '../../../delivery/state.ts';
import type { Connection } from '../engine/connection.ts';
import { type RowColumns, rowColumns, toRow } from './delivery-columns.ts';
import { grant } from './delivery-wishes.ts';
import { owedAfter } from '../../../delivery/owed.ts';
import {
  kindOf,
  owedCodes,
  owedOf,
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
  report: number | null;
  claimOwner: string | null;
  claimEpoch: number | null;
  claimToken: string | null;
  leaseUntil: number | null;
  kind: number;
  sender: string;
  extra: string | null;
  owes: number | null;
  notice: number | null;
  /** JSON of a Wish. */
  wish: string | null;
}

/** The integer key of `<messageId>/<n>`; undefined when there is no such message. */
export function keyOf(connection: Connection, id: string): number | undefined {
  const parsed = parseDeliveryId(id);
  if (parsed === undefined) return undefined;
  const accept = connection.get<{ seq: number }>(seqSql, parsed.messageId);
  return accept === undefined ? undefined : accept.seq * targetsPerMessage + parsed.n;
}

/** By `<messageId>/<n>`. */
export function standingOf(connection: Connection, id: string): Standing | undefined {
  const parsed = parseDeliveryId(id);
  if (parsed === undefined) return undefined;
  const columns = connection.get<StandingColumns>(standingSql, parsed.messageId, parsed.n);
  return columns === undefined ? undefined : toStanding(columns);
}

export function toStanding(columns: StandingColumns): Standing {
  const {
    id: key,
    state,
    attempts,
    wanted,
    partition,
    dueAt,
    report,
    claimOwner,
    claimEpoch,
    claimToken,
    leaseUntil,
    kind,
    sender,
    extra,
    owes,
    notice,
    wish,
  } = columns;
  const standing = {
    key,
    state: stateOf(state),
    attempts,
    partition,
    dueAt,
    report,
    claimOwner,
    claimEpoch,
    claimToken,
    leaseUntil,
    kind,
    sender,
    extra,
    owes,
    notice,
    wish,
  };
  return wanted === null ? standing : { ...standing, wanted: wantedOf(wanted) };
}

/** The whole row by `<messageId>/<n>`. */
export function columnsOf(connection: Connection, id: string): RowColumns | undefined {
  const parsed = parseDeliveryId(id);
  return parsed === undefined ? undefined : connection.get<RowColumns>(rowByNameSql, parsed.messageId, parsed.n);
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
  /** Of a 250: see Outcome. */
  relayed?: boolean;
}

/** The only way a delivery changes its state: `next` comes from `transition`. Keeps lane and counts right, and grants the wish of a lease that ends. */
export function move(connection: Connection, standing: Standing, next: Reached, told: Change): void {
  const change = standing.wish === null || next.state === 'leased' ? told : grant(connection, standing, next, told);
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
    ...owedColumns(standing, next, change),
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
  lease_until = ?, claim_owner = ?, claim_epoch = ?, claim_token = ?, owes = ?, notice = ?,
  updated_at = ?`;
const moveSql = `${setMoved} WHERE id = ?`;
const moveWithReplySql = `${setMoved}, last_reply = ?, last_reply_class = ? WHERE id = ?`;

/** `owes` and `notice` in the new state. */
function owedColumns(
  standing: Standing,
  { state }: DeliveryStanding,
  { relayed = false }: Change,
): [number | null, number | null] {
  const { owes, notice, kind, sender, extra } = standing;
  // Nearly every row: nothing was asked for, and nothing is owed.
  if (owes === null && (extra === null || state !== 'delivered')) return [null, notice];
  const asked: Pick<DeliveryRow, 'notify'> = extra === null ? {} : JSON.parse(extra);
  const row = { kind: kindOf(kind), sender, notify: asked.notify, owes: owes === null ? undefined : owedOf(owes) };
  const after = owedAfter(row, { state, relayed });
  const code = after === undefined ? null : owedCodes[after];
  // Another kind of notice has a number of its own.
  return [code, code === owes ? notice : null];
}

function lastClaim({ claimOwner: owner, claimEpoch: epoch, claimToken: token }: Standing): Claim | null {
  return owner === null || epoch === null || token === null ? null : { owner, epoch, token };
}

/** `event` on one row: its new form, or undefined when the row is gone or the event means nothing to it. */
export function apply(
  connection: Connection,
  id: string,
  event: DeliveryEvent,
  change: Change,
): DeliveryRow | undefined {
  const standing = standingOf(connection, id);
  const next = standing === undefined ? undefined : transition(standing, event);
  if (standing === undefined || next === undefined) return undefined;
  move(connection, standing, next, change);
  return rowOf(connection, id);
}

export function rowOf(connection: Connection, id: string): DeliveryRow | undefined {
  const columns = columnsOf(connection, id);
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
  connection.run(traceSql, key, attempt.at, attempt.event, attempt.reply, attempt.extra ?? null);
}

const traceSql = `INSERT INTO attempts (delivery, k, at, event, reply, extra)
  VALUES (?1, (SELECT coalesce(max(k), 0) + 1 FROM attempts WHERE delivery = ?1), ?2, ?3, ?4, ?5)`;
export const rowsOfMessageSql = `SELECT ${rowColumns} FROM deliveries WHERE id BETWEEN ? AND ? ORDER BY id`;

const seqSql = 'SELECT seq FROM accepts WHERE message_id = ?';
const byName = `WHERE id = (SELECT seq FROM accepts WHERE message_id = ?) * ${targetsPerMessage} + ?`;
export const rowByNameSql = `SELECT ${rowColumns} FROM deliveries ${byName}`;
export const standingSql = `SELECT id, state, attempts, wanted, partition, due_at AS dueAt, report, claim_owner AS claimOwner,
  claim_epoch AS claimEpoch, claim_token AS claimToken, lease_until AS leaseUntil,
  kind, sender, extra, owes, notice, wish FROM deliveries ${byName}`;

interface StandingColumns {
  id: number;
  state: number;
  attempts: number;
  wanted: number | null;
  partition: number;
  dueAt: number;
  report: number | null;
  claimOwner: string | null;
  claimEpoch: number | null;
  claimToken: string | null;
  leaseUntil: number | null;
  kind: number;
  sender: string;
  extra: string | null;
  owes: number | null;
  notice: number | null;
  /** JSON of a Wish. */
  wish: string | null;
}
