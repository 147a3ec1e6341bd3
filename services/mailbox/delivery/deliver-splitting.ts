import type { LocalAnswer, LocalDelivery } from '../../../libs/store/ports/mailboxes.ts';
import { isStoreTrouble } from '../../../libs/store/errors.ts';

/** `poisoned`: this delivery alone can't be written, whatever it is together with. */
export type SplitAnswer = LocalAnswer | { answer: 'poisoned'; error: unknown };

/**
 * Delivers all in one transaction of `deliver`. When that fails twice it is split by account, and then one by one, so that a row that can't be written fails alone
 * and never keeps others from their mailboxes. Rejects only when the store itself has trouble. Answers in order.
 */
export async function deliverSplitting(
  deliveries: readonly LocalDelivery[],
  deliver: (deliveries: readonly LocalDelivery[]) => Promise<readonly LocalAnswer[]>,
): Promise<SplitAnswer[]> {
  const first = await failureOf(() => deliver(deliveries));
  if (!('error' in first)) return [...first.result];
  // A conflict with another transaction is gone the second time; a row that is to blame is still there.
  const again = await failureOf(() => deliver(deliveries));
  if (!('error' in again)) return [...again.result];
  if (deliveries.length === 1) return [{ answer: 'poisoned', error: again.error }];
  const answers = new Map<LocalDelivery, SplitAnswer>();
  for (const part of split(deliveries)) {
    const ofPart = await deliverSplitting(part, deliver);
    for (const [index, delivery] of part.entries()) {
      const answer = ofPart[index];
      if (answer !== undefined) answers.set(delivery, answer);
    }
  }
  return deliveries.map(
    (delivery) => answers.get(delivery) ?? { answer: 'poisoned', error: new Error('the store gave no answer') },
  );
}

async function failureOf<T>(attempt: () => Promise<T>): Promise<{ result: T } | { error: unknown }> {
  try {
    return { result: await attempt() };
  } catch (error) {
    if (isStoreTrouble(error)) throw error;
    return { error };
  }
}

function split(deliveries: readonly LocalDelivery[]): LocalDelivery[][] {
  const byAccount = [...Map.groupBy(deliveries, ({ accountId }) => accountId).values()];
  return byAccount.length > 1 ? byAccount : deliveries.map((delivery) => [delivery]);
}
