import type { AnyBulkWriteOperation, ClientSession } from 'mongodb';
import { owedAfter } from '../../../delivery/owed.ts';
import type { Claim, ReplyClass, Wish } from '../../../delivery/row.ts';
import { isClaimable, type Reached } from '../../../delivery/state.ts';
import { changedBy, redirects } from '../../../delivery/wish.ts';
import type { AttemptRow } from '../../ports/deliveries.ts';
import type { MongoDatabase } from '../database.ts';
import { transact } from '../transaction.ts';
import { type Delivery, type DeliveryDocument, marksOf, maxTrace, termsOf, withoutTrace } from './delivery-document.ts';

/** What an event does to a row besides its standing. */
export interface Change {
  at: number;
  dueAt?: number;
  reply?: string;
  replyClass?: ReplyClass;
  report?: number;
  /** The claim that did it; null forgets the last one, so that it counts as stale from now on. Absent: as it was. */
  claim?: Claim | null;
  /** Of a 250: see Outcome. */
  relayed?: boolean;
}

/** The row with its new standing, which comes from `transition`; marks follow, and the wish of a lease that ends is granted. */
export function moved(before: Delivery, reached: Reached, told: Change): Delivery {
  const { applied: _, ...next } = reached;
  const { delivery, change } =
    before.wish === undefined || next.state === 'leased'
      ? { delivery: before, change: told }
      : grant(before, reached, told);
  const dueAt = change.dueAt ?? delivery.dueAt;
  const after: Delivery = { ...delivery, dueAt, updatedAt: change.at };
  for (const field of followed) delete after[field];
  const owes = owedAfter(delivery, { state: next.state, relayed: change.relayed ?? false });
  // Another kind of notice has a number of its own.
  if (owes !== undefined && owes !== delivery.owes) delete after.notice;
  Object.assign(after, next, owes && { owes }, marksOf({ ...next, owes }, dueAt, change.at));
  if (change.claim === null) delete after.claim;
  else if (change.claim !== undefined) after.claim = change.claim;
  if (next.state === 'leased' && delivery.leaseUntil !== undefined) after.leaseUntil = delivery.leaseUntil;
  if (change.report !== undefined) after.report = change.report;
  if (change.reply !== undefined) {
    after.lastReply = change.reply;
    after.lastReplyClass = change.replyClass ?? 'ok';
  }
  if (after.lastReplyClass !== undefined && after.lastReplyClass !== 'ok') after.trouble = 1;
  return after;
}

/** The lease of a row with a wish ends: what was wished happens, or has lost its meaning. */
function grant({ wish, ...row }: Delivery, next: Reached, change: Change): { delivery: Delivery; change: Change } {
  if (next.applied === 'bounce' && wish?.reply !== undefined)
    return { delivery: row, change: { ...change, reply: wish.reply, replyClass: 'permanent' } };
  if (!redirects(wish) || !(isClaimable(next.state) || next.state === 'held')) return { delivery: row, change };
  return { delivery: redirected(row, wish), change: next.attempts > 0 ? { ...change, dueAt: change.at } : change };
}

/** Its other fields, which never change else, are to be written too. */
interface Redirected extends Delivery {
  redirected: true;
}

const isRedirected = (delivery: Delivery): delivery is Redirected => 'redirected' in delivery;

/** The row as it goes where the wish says. */
export function redirected(delivery: Delivery, wish: Wish): Redirected {
  const { via: _, accountId: __, ...rest } = delivery;
  const next = changedBy(delivery, wish);
  return { ...rest, ...next, terms: termsOf(next, delivery.sender), redirected: true };
}

/** Fields that the new standing decides anew. */
const followed = ['wanted', 'lane', 'owes', 'owed', 'done', 'trouble', 'leaseUntil'] as const;

/** Writes rows as they are now, and adds to their traces. */
export class Changes {
  readonly #after = new Map<string, { delivery: Delivery; traced: AttemptRow[] }>();

  put(delivery: Delivery, ...traced: readonly AttemptRow[]): void {
    const earlier = this.#after.get(delivery._id)?.traced ?? [];
    this.#after.set(delivery._id, { delivery, traced: [...earlier, ...traced] });
  }

  async write(database: MongoDatabase, session: ClientSession): Promise<void> {
    if (this.#after.size === 0) return;
    const operations = [...this.#after.values()].map(({ delivery, traced }) => updateOf(delivery, traced));
    await database.deliveries.bulkWrite(operations, { session, ordered: false });
  }
}

/**
 * One transaction over the named rows: `decide` looks at them as they are at one moment and puts what is to be written. Whoever changes one of them
 * meanwhile makes the transaction begin again.
 */
export function changeDeliveries<T>(
  database: MongoDatabase,
  ids: readonly string[],
  decide: (found: Map<string, Delivery>, changes: Changes) => T,
): Promise<T> {
  return transact(database.client, async (session) => {
    const found = await readDeliveries(database, ids, session);
    const changes = new Changes();
    const answer = decide(found, changes);
    await changes.write(database, session);
    return answer;
  });
}

export async function readDeliveries(
  { deliveries, newer }: MongoDatabase,
  ids: readonly string[],
  session: ClientSession,
): Promise<Map<string, Delivery>> {
  const found = await deliveries
    .find({ _id: { $in: [...new Set(ids)] } }, { session, projection: withoutTrace })
    .toArray();
  return new Map(newer.readable('deliveries', found).map((delivery) => [delivery._id, delivery]));
}

/** True when `claim` is the one that the row was last claimed under, whatever became of it since. */
export const isLastClaim = ({ claim: last }: Delivery, claim: Claim): boolean =>
  last !== undefined && last.token === claim.token && last.owner === claim.owner && last.epoch === claim.epoch;

export const holds = (delivery: Delivery, claim: Claim): boolean =>
  delivery.state === 'leased' && isLastClaim(delivery, claim);

/** Fields that change after fan-out. */
const mutable = [
  'state',
  'attempts',
  'wanted',
  'dueAt',
  'claim',
  'leaseUntil',
  'report',
  'alarmAt',
  'noticeAt',
  'owes',
  'notice',
  'lastReply',
  'lastReplyClass',
  'lane',
  'owed',
  'done',
  'trouble',
  'updatedAt',
  'wish',
] as const satisfies readonly (keyof Delivery)[];

/** Of redirected rows. */
const addressing = [
  'kind',
  'recipient',
  'accountId',
  'destination',
  'partition',
  'via',
  'terms',
] as const satisfies readonly (keyof Delivery)[];

function updateOf(delivery: Delivery, traced: readonly AttemptRow[]): AnyBulkWriteOperation<DeliveryDocument> {
  const fields = isRedirected(delivery) ? [...mutable, ...addressing] : mutable;
  const $set: Partial<Record<keyof Delivery, unknown>> = {};
  const $unset: Partial<Record<keyof Delivery, true>> = {};
  for (const field of fields) {
    const value = delivery[field];
    if (value === undefined) $unset[field] = true;
    else $set[field] = value;
  }
  const update: Record<string, unknown> = { $set };
  if (Object.keys($unset).length > 0) update['$unset'] = $unset;
  if (traced.length > 0) update['$push'] = { trace: { $each: traced, $slice: -maxTrace } };
  return { updateOne: { filter: { _id: delivery._id }, update } };
}
