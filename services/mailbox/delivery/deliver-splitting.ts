import type { LocalAnswer, LocalDelivery } from '../../../libs/store/ports/mailboxes.ts';
import { isStoreTrouble, StoreBusy } from '../../../libs/store/errors.ts';

/**
 * `poisoned`: this delivery alone can't be written, whatever it is together with. `busy`: another transaction has been at its account for longer than was waited;
 * nothing was written.
 */
export type SplitAnswer = LocalAnswer | { answer: 'poisoned'; error: unknown } | { answer: 'busy' };

/**
 * Delivers all in one transaction of `deliver`. When that fails twice it is split by account, and then one by one, so that a row that can't be written fails alone
 * and never keeps others from their mailboxes; nor does an account that a frozen process has locked. Rejects only when the store itself has trouble. Answers in order.
 */
export async function deliverSplitting(
  deliveries: readonly LocalDelivery[],
  deliver: (deliveries: readonly LocalDelivery[]) => Promise<readonly LocalAnswer[]>,
): Promise<SplitAnswer[]> {
  const first = await failureOf(() => deliver(deliveries));
  if ('result' in first) return [...first.result];
  if (first.error instanceof StoreBusy) return splitBusy(deliveries, deliver);
  // A conflict with another transaction is gone the second time; a row that is to blame is still there.
  const again = await failureOf(() => deliver(deliveries));
  if ('result' in again) return [...again.result];
  if (again.error instanceof StoreBusy) return splitBusy(deliveries, deliver);
  if (deliveries.length === 1) return [{ answer: 'poisoned', error: again.error }];
  return inParts(deliveries, split(deliveries), deliver);
}

/** The store has tried for as long as it waits for others: it is one account that is in the way. */
async function splitBusy(
  deliveries: readonly LocalDelivery[],
  deliver: (deliveries: readonly LocalDelivery[]) => Promise<readonly LocalAnswer[]>,
): Promise<SplitAnswer[]> {
  const accounts = byAccount(deliveries);
  if (accounts.length <= 1) return deliveries.map(() => ({ answer: 'busy' }));
  return inParts(deliveries, accounts, deliver);
}

async function inParts(
  deliveries: readonly LocalDelivery[],
  parts: readonly LocalDelivery[][],
  deliver: (deliveries: readonly LocalDelivery[]) => Promise<readonly LocalAnswer[]>,
): Promise<SplitAnswer[]> {
  const answers = new Map<LocalDelivery, SplitAnswer>();
  for (const part of parts) {
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
    if (isStoreTrouble(error) && !(error instanceof StoreBusy)) throw error;
    return { error };
  }
}

function split(deliveries: readonly LocalDelivery[]): LocalDelivery[][] {
  const accounts = byAccount(deliveries);
  return accounts.length > 1 ? accounts : deliveries.map((delivery) => [delivery]);
}

const byAccount = (deliveries: readonly LocalDelivery[]): LocalDelivery[][] => [
  ...Map.groupBy(deliveries, ({ accountId }) => accountId).values(),
];
