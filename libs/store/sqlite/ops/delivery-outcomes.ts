import type { Claim } from '../../../delivery/row.ts';
import { type DeliveryEvent, transition } from '../../../delivery/state.ts';
import type { Outcome, OutcomeAnswer } from '../../ports/deliveries.ts';
import type { Connection } from '../engine/connection.ts';
import { type Change, holds, isLastClaim, move, standingOf, trace } from './delivery-rows.ts';

export const writes = {
  'deliveries.record': (connection: Connection, args: { outcomes: readonly Outcome[] }): OutcomeAnswer[] =>
    args.outcomes.map((outcome) => record(connection, outcome)),
};

/**
 * Writes that a local delivery has succeeded, inside the transaction that put the message into the mailbox. As with any proven 250, whoever brings it,
 * a row that is neither final nor `reporting` becomes delivered (promise 5). `stale`: nothing was written and the message must not be kept.
 * Told again under the same claim it answers `delivered` again.
 */
export function settleDelivered(
  connection: Connection,
  deliveryId: string,
  claim: Claim,
  reply: string,
  at: number,
): 'delivered' | 'stale' {
  const standing = standingOf(connection, deliveryId);
  if (standing === undefined) return 'stale';
  if (standing.state === 'delivered' && isLastClaim(standing, claim)) return 'delivered';
  const next = transition(standing, { kind: 'delivered' });
  if (next === undefined) return 'stale';
  move(connection, standing, next, { at, reply, replyClass: 'ok', claim });
  trace(connection, standing.key, { at, event: 'delivered', reply });
  return 'delivered';
}

function record(connection: Connection, outcome: Outcome): OutcomeAnswer {
  const { id, claim, at, result } = outcome;
  const extra = extraOf(outcome);
  const standing = standingOf(connection, id);
  if (standing === undefined) return { id, answer: 'stale' };
  if (!holds(standing, claim)) {
    // The same outcome told twice: the first was recorded, and the row was not claimed since.
    const told = standing.state !== 'leased' && isLastClaim(standing, claim);
    if (told && (result.kind !== 'delivered' || standing.state === 'delivered'))
      return { id, answer: 'recorded', state: standing.state };
    if (result.kind !== 'delivered') return { id, answer: 'stale', state: standing.state };
  }
  const next = transition(standing, { kind: result.kind } satisfies DeliveryEvent);
  if (next === undefined) {
    // A remote server has taken a message that the queue had ended already: the trace says so (promise 5).
    if (result.kind === 'delivered')
      trace(connection, standing.key, { at, event: 'delivered late', reply: result.reply, ...extra });
    return { id, answer: 'stale', state: standing.state };
  }
  move(connection, standing, next, changeOf(result, claim, at));
  if (result.kind !== 'returned')
    trace(connection, standing.key, { at, event: result.kind, reply: result.reply, ...extra });
  return { id, answer: 'recorded', state: next.state };
}

/** With whom the attempt was. */
function extraOf({ with: about }: Outcome): { extra?: string } {
  if (about === undefined) return {};
  const { host, address, tls } = about;
  return { extra: JSON.stringify({ host, address, tls }) };
}

function changeOf(result: Outcome['result'], claim: Claim, at: number): Change {
  if (result.kind === 'returned') return { at, claim };
  const { reply } = result;
  if (result.kind === 'delivered') return { at, claim, reply, replyClass: 'ok', relayed: result.relayed === true };
  const change = { at, claim, reply, replyClass: result.replyClass };
  return result.kind === 'deferred' ? { ...change, dueAt: result.nextAttemptAt } : change;
}
