import type { ListCursor } from '../../ports/mailboxes.ts';
import type { MessageDocument } from './documents.ts';

export interface Page {
  rows: MessageDocument[];
  next: ListCursor | null;
}

/** Of limit + 1 rows, when there are as many: the page, and where the next one goes on. */
export function cutPage(rows: MessageDocument[], limit: number): Page {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  if (last === undefined) return { rows, next: null };
  return { rows: rows.slice(0, limit), next: { receivedAt: last.receivedAt, id: last._id } };
}
