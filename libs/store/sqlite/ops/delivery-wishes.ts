import { recipientDomain } from '../../../delivery/recipient-domain.ts';
import type { DeliveryRow, Wish } from '../../../delivery/row.ts';
import { isClaimable, type Reached } from '../../../delivery/state.ts';
import { changedBy, redirects } from '../../../delivery/wish.ts';
import type { Connection } from '../engine/connection.ts';
import { kindCodes } from './delivery-codes.ts';
import { type RowColumns, rowColumns, toRow } from './delivery-columns.ts';
import type { Change, Standing } from './delivery-rows.ts';

/** The lease of a row with a wish ends: what was wished happens, or has lost its meaning. Answers the change with what the wish adds. */
export function grant(connection: Connection, standing: Standing, next: Reached, change: Change): Change {
  connection.run('UPDATE deliveries SET wish = NULL WHERE id = ?', standing.key);
  if (standing.wish === null) return change;
  const wish: Wish = JSON.parse(standing.wish);
  if (next.applied === 'bounce' && wish.reply !== undefined)
    return { ...change, reply: wish.reply, replyClass: 'permanent' };
  if (!redirects(wish) || !(isClaimable(next.state) || next.state === 'held')) return change;
  redirect(connection, standing.key, wish);
  return next.attempts > 0 ? { ...change, dueAt: change.at } : change;
}

/** The row goes where the wish says. */
export function redirect(connection: Connection, key: number, wish: Wish): void {
  const columns = connection.get<RowColumns>(`SELECT ${rowColumns} FROM deliveries WHERE id = ?`, key);
  if (columns === undefined) return;
  const row = toRow(columns);
  const next = changedBy(row, wish);
  connection.run(
    redirectSql,
    kindCodes[next.kind],
    next.recipient,
    recipientDomain(next),
    next.accountId ?? null,
    next.destination,
    next.partition,
    extraOf(row, next.via),
    key,
  );
}

const redirectSql = `UPDATE deliveries SET kind = ?, recipient = ?, domain = ?, account_id = ?, destination = ?, partition = ?, extra = ?
  WHERE id = ?`;

export function keepWish(connection: Connection, key: number, wish: Wish): void {
  connection.run('UPDATE deliveries SET wish = ? WHERE id = ?', JSON.stringify(wish), key);
}

/** Fields that few rows have. */
function extraOf({ notify, originalRecipient, reversePath }: DeliveryRow, via: DeliveryRow['via']): string | null {
  const extra = JSON.stringify({ notify, originalRecipient, reversePath, via });
  return extra === '{}' ? null : extra;
}
