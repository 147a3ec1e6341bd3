import type { AnyBulkWriteOperation, ClientSession } from 'mongodb';
import type { Claim, ReplyClass } from '../../../delivery/row.ts';
import type { DeliveryStanding } from '../../../delivery/state.ts';
import type { AttemptRow } from '../../ports/deliveries.ts';
import type { MongoDatabase } from '../database.ts';
import { transact } from '../transaction.ts';
import { type Delivery, type DeliveryDocument, marksOf, maxTrace, withoutTrace } from './delivery-document.ts';

/** What an event does to a row besides its standing. */
export interface Change {
  at: number;
  dueAt?: number;
  reply?: string;
  replyClass?: ReplyClass;
  report?: number;
  /** The claim that did it; null forgets the last one, so that it counts as stale from now on. Absent: as it was. */
  claim?: Claim | null;
}

/** The row with its new standing, which comes from `transition`; marks follow. */
export function moved(delivery: Delivery, next: DeliveryStanding, change: Change): Delivery {
  const dueAt = change.dueAt ?? delivery.dueAt;
  const after: Delivery = { ...delivery, dueAt, updatedAt: change.at };
  for (const field of followed) delete after[field];
  Object.assign(after, next, marksOf(next, dueAt, change.at));
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

/** Fields that the new standing decides anew. */
const followed = ['wanted', 'lane', 'owed', 'done', 'trouble', 'leaseUntil'] as const;

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
  'lastReply',
  'lastReplyClass',
  'lane',
  'owed',
  'done',
  'trouble',
  'updatedAt',
] as const satisfies readonly (keyof Delivery)[];

function updateOf(delivery: Delivery, traced: readonly AttemptRow[]): AnyBulkWriteOperation<DeliveryDocument> {
  const $set: Partial<Record<(typeof mutable)[number], unknown>> = {};
  const $unset: Partial<Record<(typeof mutable)[number], true>> = {};
  for (const field of mutable) {
    const value = delivery[field];
    if (value === undefined) $unset[field] = true;
    else $set[field] = value;
  }
  const update: Record<string, unknown> = { $set };
  if (Object.keys($unset).length > 0) update['$unset'] = $unset;
  if (traced.length > 0) update['$push'] = { trace: { $each: traced, $slice: -maxTrace } };
  return { updateOne: { filter: { _id: delivery._id }, update } };
}
