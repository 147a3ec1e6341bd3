import { transition } from '../../../delivery/state.ts';
import { joined, redirects, type Steer, suits, toldOf, wishOf } from '../../../delivery/wish.ts';
import type { Steered } from '../../ports/deliveries.ts';
import type { MongoDatabase } from '../database.ts';
import { type Change, type Changes, changeDeliveries, moved, redirected } from './delivery-change.ts';
import { type Delivery, documentIdOf, toRow } from './delivery-document.ts';

type Request = Steer & { now: number; actor: string; record?: string };

/** In one transaction. */
export function steer(database: MongoDatabase, ids: readonly string[], request: Request): Promise<readonly Steered[]> {
  const named = ids.map(documentIdOf);
  return changeDeliveries(
    database,
    named.filter((_id) => _id !== undefined),
    (found, changes) => ids.map((id, n) => steerOne(id, found.get(named[n] ?? ''), changes, request)),
  );
}

function steerOne(id: string, delivery: Delivery | undefined, changes: Changes, request: Request): Steered {
  const { action, now, actor, record } = request;
  if (delivery === undefined) return { id, answer: 'absent' };
  const next = suits(delivery.kind, request) ? transition(delivery, { kind: action }) : undefined;
  if (next === undefined) return { id, answer: 'refused' };
  const wish = wishOf(request);
  const isLeased = delivery.state === 'leased';
  let row = delivery;
  if (isLeased && wish !== undefined) row = { ...row, wish: joined(row.wish, wish) ?? wish };
  if (!isLeased && redirects(wish)) row = redirected(row, wish);
  const change: Change = { at: now };
  if (action === 'retry' || (!isLeased && redirects(wish) && next.attempts > 0)) change.dueAt = now;
  if (action === 'bounce' && !isLeased) Object.assign(change, { reply: request.reply, replyClass: 'permanent' });
  const after = moved(row, next, change);
  changes.put(after, { at: now, event: action, reply: toldOf(request, delivery, actor, record) });
  return { id, answer: isLeased && next.wanted !== undefined ? 'pending' : 'done', row: toRow(after) };
}
