import { rowJson } from './message-rows.ts';

/** Filters that each have an index of their own for `true`. */
export interface Narrowing {
  unread: boolean | undefined;
  hasAttachment: boolean | undefined;
}

/**
 * The query of a page without a search: one walk along an index from the cursor on, newest first. Parameters: number of the mailbox (or account),
 * the cursor's receivedAt and id, the earliest receivedAt, the number of rows.
 */
export function listSql(from: 'mailbox' | 'account', narrowing: Narrowing): string {
  const filters = filtersOf('w', narrowing);
  const columns = `${rowJson} AS json, w.received_at AS receivedAt, w.id AS id`;
  const range = '(w.received_at, w.id) < (?, ?) AND w.received_at >= ?';
  const order = 'ORDER BY w.received_at DESC, w.id DESC LIMIT ?';
  const index = indexOf(from, narrowing);
  if (from === 'account') {
    return `SELECT ${columns} FROM messages AS w INDEXED BY ${index} CROSS JOIN messages m ON m.n = w.n
      WHERE w.account = ? AND w.destroyed_at IS NULL AND ${range} ${filters} ${order}`;
  }
  const walked = index === undefined ? 'mailbox_messages AS w' : `mailbox_messages AS w INDEXED BY ${index}`;
  return `SELECT ${columns} FROM ${walked} CROSS JOIN messages m ON m.n = w.n WHERE w.mailbox = ? AND ${range} ${filters} ${order}`;
}

/** Conditions on the alias's columns `unread` and `has_attachment`. */
export function filtersOf(alias: string, { unread, hasAttachment }: Narrowing): string {
  const byUnread = unread === undefined ? '' : `AND ${alias}.unread = ${Number(unread)}`;
  const byAttachment = hasAttachment === undefined ? '' : `AND ${alias}.has_attachment = ${Number(hasAttachment)}`;
  return `${byUnread} ${byAttachment}`;
}

/** Undefined: the table itself is in the order of the list. */
function indexOf(from: 'mailbox' | 'account', { unread, hasAttachment }: Narrowing): string | undefined {
  const table = from === 'mailbox' ? 'mailbox_messages' : 'messages';
  if (unread === true) return `${table}_unread`;
  if (hasAttachment === true) return `${table}_with_attachment`;
  return from === 'mailbox' ? undefined : 'messages_by_time';
}
