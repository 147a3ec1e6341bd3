import type { Target } from './row.ts';

/** What the queue's filter by domain looks for: the recipient's, for mail that stays here too. */
export function recipientDomain({ kind, destination, recipient }: Pick<Target, 'kind' | 'destination' | 'recipient'>) {
  return kind === 'remote' ? destination : recipient.slice(recipient.lastIndexOf('@') + 1).toLowerCase();
}
