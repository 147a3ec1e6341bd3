import { NotFound, PreconditionFailed } from '../../../errors.ts';
import type { Connection } from '../../engine/connection.ts';

/**
 * A MessageRow (of the alias `m`) as JSON text, made by SQLite itself: one string for each message crosses the threads, and the summary is parsed
 * only where it is used.
 */
export const rowJson = `'{"id":"' || m.id || '","threadId":"' || m.thread_id || '","blobId":"'
  || iif(m.kind = 'append', 'append:' || m.message_id, m.message_id || '-' || m.kind)
  || '","mailboxIds":' || m.mailboxes || ',"keywords":' || m.keywords || ',"receivedAt":' || m.received_at
  || ',"sizeBytes":' || m.size || ',"modseq":' || m.modseq || ',' || m.summary`;

/** Columns of `messages` that changes look at. */
export interface StoredMessage {
  n: number;
  id: string;
  message_id: string;
  kind: string;
  /** JSON lists. */
  mailboxes: string;
  keywords: string;
  received_at: number;
  size: number;
  unread: number;
  has_attachment: number;
  modseq: number;
}

/** NotFound for an expunged message and one of another account too; PreconditionFailed when it has another modseq than `ifModseq`. */
export function storedMessage(connection: Connection, account: number, id: string, ifModseq?: number): StoredMessage {
  const row = connection.get<StoredMessage>(
    `SELECT n, id, message_id, kind, mailboxes, keywords, received_at, size, unread, has_attachment, modseq
     FROM messages WHERE id = ? AND account = ? AND destroyed_at IS NULL`,
    id,
    account,
  );
  if (row === undefined) throw new NotFound('message');
  if (ifModseq !== undefined && row.modseq !== ifModseq) throw new PreconditionFailed('the message has changed since');
  return row;
}

/** The message as JSON of MessageRow. */
export function messageJson(connection: Connection, account: number, id: string): string {
  const row = connection.get<{ json: string }>(
    `SELECT ${rowJson} AS json FROM messages m WHERE m.id = ? AND m.account = ? AND m.destroyed_at IS NULL`,
    id,
    account,
  );
  if (row === undefined) throw new NotFound('message');
  return row.json;
}

/** A JSON list of strings of our own writing. */
export function parseList(json: string): string[] {
  const list: unknown = JSON.parse(json);
  return Array.isArray(list) ? list.map(String) : [];
}
