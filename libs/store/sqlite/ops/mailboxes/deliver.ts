import type { Claim } from '../../../../delivery/row.ts';
import type { LocalAnswer, MailboxRole } from '../../../ports/mailboxes.ts';
import type { Connection } from '../../engine/connection.ts';
import { settleDelivered } from '../delivery-outcomes.ts';
import { isInDirectory, openAccount } from './account-state.ts';
import { AccountWork } from './account-work.ts';
import { insertMessage, type NewMessage } from './message-insert.ts';

export interface PreparedDelivery extends NewMessage {
  deliveryId: string;
  claim: Claim;
  accountId: string;
  role: MailboxRole;
}

/**
 * Local delivery of a batch: each account's state and each mailbox's counts are read and written once. What one delivery alone can fail on is looked
 * at before anything of it is written; anything else fails the batch, of which then nothing is written.
 */
export function deliver(
  connection: Connection,
  args: { deliveries: readonly PreparedDelivery[]; now: number },
): LocalAnswer[] {
  const works = new Map<string, AccountWork | undefined>();
  const answers = args.deliveries.map((delivery) => {
    if (!works.has(delivery.accountId)) works.set(delivery.accountId, workOf(connection, delivery.accountId));
    const work = works.get(delivery.accountId);
    return work === undefined ? ({ answer: 'noAccount' } as const) : deliverOne(connection, work, delivery, args.now);
  });
  for (const work of works.values()) work?.save();
  return answers;
}

function workOf(connection: Connection, accountId: string): AccountWork | undefined {
  return isInDirectory(connection, accountId)
    ? new AccountWork(connection, openAccount(connection, accountId))
    : undefined;
}

function deliverOne(connection: Connection, work: AccountWork, delivery: PreparedDelivery, now: number): LocalAnswer {
  const { deliveryId, claim } = delivery;
  const isDuplicate = isThere(connection, work, delivery);
  if (!isDuplicate && work.isOver(delivery.sizeBytes)) return { answer: 'overQuota' };
  const settled = settleDelivered(connection, deliveryId, claim, '250 2.1.5 delivered', now);
  // A repeat after a lost answer: its row has been settled by then, and the message is there.
  if (isDuplicate) return { answer: 'duplicate' };
  if (settled === 'stale') return { answer: 'stale' };
  const inserted = insertMessage(connection, work, work.mailboxOfRole(delivery.role), delivery);
  return { answer: 'delivered', ...inserted, overQuotaNow: work.isOver(1) };
}

/** True when the account has this copy, or had it and expunged it. */
const isThere = (connection: Connection, work: AccountWork, { messageId, kind }: PreparedDelivery): boolean =>
  connection.get(
    'SELECT 1 FROM messages WHERE message_id = ? AND account = ? AND kind = ?',
    messageId,
    work.account,
    kind,
  ) !== undefined;
