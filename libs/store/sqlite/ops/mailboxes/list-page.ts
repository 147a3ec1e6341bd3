import type { ListCursor } from '../../../ports/mailboxes.ts';

export interface ListedRow {
  /** Of MessageRow. */
  json: string;
  receivedAt: number;
  id: string;
}

/** Of limit + 1 rows, when there are as many: the page, and where the next one goes on. */
export function cutPage(rows: ListedRow[], limit: number): { rows: ListedRow[]; next: ListCursor | null } {
  if (rows.length <= limit) return { rows, next: null };
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { rows: page, next: last === undefined ? null : { receivedAt: last.receivedAt, id: last.id } };
}
