import { transition } from '../../../delivery/state.ts';
import { joined, redirects, type Steer, suits, toldOf, wishOf } from '../../../delivery/wish.ts';
import type { Steered } from '../../ports/deliveries.ts';
import type { Connection } from '../engine/connection.ts';
import { toRow } from './delivery-columns.ts';
import { type Change, columnsOf, move, rowOf, toStanding, trace } from './delivery-rows.ts';
import { keepWish, redirect } from './delivery-wishes.ts';

export const writes = { 'deliveries.steer': steerAll };

type Request = Steer & { now: number; actor: string; record?: string };

function steerAll(connection: Connection, { ids, ...request }: Request & { ids: readonly string[] }): Steered[] {
  return ids.map((id) => steerOne(connection, id, request));
}

function steerOne(connection: Connection, id: string, request: Request): Steered {
  const { action, now, actor, record } = request;
  const columns = columnsOf(connection, id);
  if (columns === undefined) return { id, answer: 'absent' };
  const standing = toStanding(columns);
  const row = toRow(columns);
  const next = suits(row.kind, request) ? transition(standing, { kind: action }) : undefined;
  if (next === undefined) return { id, answer: 'refused' };
  const wish = wishOf(request);
  const isLeased = standing.state === 'leased';
  if (isLeased && wish !== undefined) keepWish(connection, standing.key, joined(row.wish, wish) ?? wish);
  if (!isLeased && redirects(wish)) redirect(connection, standing.key, wish);
  const change: Change = { at: now };
  if (action === 'retry' || (!isLeased && redirects(wish) && next.attempts > 0)) change.dueAt = now;
  if (action === 'bounce' && !isLeased) Object.assign(change, { reply: request.reply, replyClass: 'permanent' });
  move(connection, standing, next, change);
  trace(connection, standing.key, { at: now, event: action, reply: toldOf(request, row, actor, record) });
  const after = rowOf(connection, id);
  const answer = isLeased && next.wanted !== undefined ? 'pending' : 'done';
  return after === undefined ? { id, answer } : { id, answer, row: after };
}
