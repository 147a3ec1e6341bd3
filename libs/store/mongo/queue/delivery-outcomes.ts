import type { Claim } from '../../../delivery/row.ts';
import { type DeliveryEvent, transition } from '../../../delivery/state.ts';
import type { Outcome, OutcomeAnswer } from '../../ports/deliveries.ts';
import type { MongoDatabase } from '../database.ts';
import { type Change, type Changes, changeDeliveries, holds, isLastClaim, moved } from './delivery-change.ts';
import { type Delivery, documentIdOf } from './delivery-document.ts';

export async function record(database: MongoDatabase, outcomes: readonly Outcome[]): Promise<readonly OutcomeAnswer[]> {
  const answers: OutcomeAnswer[] = [];
  for (let at = 0; at < outcomes.length; at += outcomesAtOnce) {
    const some = outcomes.slice(at, at + outcomesAtOnce);
    const ids = some.map(({ id }) => documentIdOf(id)).filter((id) => id !== undefined);
    const told = await changeDeliveries(database, ids, (found, changes) =>
      some.map((outcome) => recordOne(found, changes, outcome)),
    );
    answers.push(...told);
  }
  return answers;
}

const outcomesAtOnce = 500;

/**
 * A local delivery has succeeded, inside the transaction that puts the message into the mailbox. As with any proven 250, whoever brings it, a row that is
 * neither final nor `reporting` becomes delivered (promise 5). `stale`: nothing is to be written and the message must not be kept.
 */
export function settleDelivered(
  found: Map<string, Delivery>,
  changes: Changes,
  { deliveryId, claim, at }: { deliveryId: string; claim: Claim; at: number },
): 'delivered' | 'stale' {
  const delivery = found.get(documentIdOf(deliveryId) ?? '');
  if (delivery === undefined) return 'stale';
  if (delivery.state === 'delivered' && isLastClaim(delivery, claim)) return 'delivered';
  const next = transition(delivery, { kind: 'delivered' });
  if (next === undefined) return 'stale';
  const reply = '250 2.1.5 delivered';
  put(found, changes, moved(delivery, next, { at, reply, replyClass: 'ok', claim }), { at, event: 'delivered', reply });
  return 'delivered';
}

function recordOne(found: Map<string, Delivery>, changes: Changes, outcome: Outcome): OutcomeAnswer {
  const { id, claim, at, result } = outcome;
  const about = aboutOf(outcome);
  const delivery = found.get(documentIdOf(id) ?? '');
  if (delivery === undefined) return { id, answer: 'stale' };
  const { state } = delivery;
  if (!holds(delivery, claim)) {
    // The same outcome told twice: the first was recorded, and the row was not claimed since.
    const told = state !== 'leased' && isLastClaim(delivery, claim);
    if (told && (result.kind !== 'delivered' || state === 'delivered')) return { id, answer: 'recorded', state };
    if (result.kind !== 'delivered') return { id, answer: 'stale', state };
  }
  const next = transition(delivery, { kind: result.kind } satisfies DeliveryEvent);
  if (next === undefined) {
    // A remote server has taken a message that the queue had ended already: the trace says so (promise 5).
    if (result.kind === 'delivered')
      put(found, changes, delivery, { at, event: 'delivered late', ...about, reply: result.reply });
    return { id, answer: 'stale', state };
  }
  const after = moved(delivery, next, changeOf(result, claim, at));
  if (result.kind === 'returned') put(found, changes, after);
  else put(found, changes, after, { at, event: result.kind, ...about, reply: result.reply });
  return { id, answer: 'recorded', state: after.state };
}

/** With whom the attempt was. */
function aboutOf({ with: about }: Outcome): Outcome['with'] {
  if (about === undefined) return {};
  const { host, address, tls } = about;
  return {
    ...(host !== undefined && { host }),
    ...(address !== undefined && { address }),
    ...(tls !== undefined && { tls }),
  };
}

/** A later outcome of the same batch sees what the earlier one made of the row. */
function put(found: Map<string, Delivery>, changes: Changes, ...change: Parameters<Changes['put']>): void {
  found.set(change[0]._id, change[0]);
  changes.put(...change);
}

function changeOf(result: Outcome['result'], claim: Claim, at: number): Change {
  if (result.kind === 'returned') return { at, claim };
  const { reply } = result;
  if (result.kind === 'delivered') return { at, claim, reply, replyClass: 'ok', relayed: result.relayed === true };
  const change = { at, claim, reply, replyClass: result.replyClass };
  return result.kind === 'deferred' ? { ...change, dueAt: result.nextAttemptAt } : change;
}
