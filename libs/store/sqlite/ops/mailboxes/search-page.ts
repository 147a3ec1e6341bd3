import type { ListCursor } from '../../../ports/mailboxes.ts';
import type { Connection, SqlValue } from '../../engine/connection.ts';
import type { ListScope } from './list.ts';
import { cutPage, type ListedRow } from './list-page.ts';
import { filtersOf } from './list-sql.ts';
import { rowJson } from './message-rows.ts';

/**
 * A page of what matches, newest first. The walk goes along the search's rows, whose numbers begin with receivedAt. Where other filters may pass
 * over many hits, it ends after `maxWalkedHits`: the page is then short, and `next` goes on from there.
 */
export function searchPage(
  connection: Connection,
  scope: ListScope,
  match: string,
): { rows: ListedRow[]; next: ListCursor | null } {
  const floor = narrows(scope) ? walkFloor(connection, scope, match) : undefined;
  const start = Math.max(scope.start, floor ?? 0);
  const found = connection.all<ListedRow>(
    searchSql(scope),
    ...searchParams(scope, match, { start, limit: scope.limit + 1 }),
  );
  const ordered = inOrder(connection, scope, match, found);
  if (ordered.length > scope.limit) return cutPage(ordered, scope.limit);
  return { rows: ordered, next: floor === undefined ? null : { receivedAt: floor, id: smallestId } };
}

/** Parameters: match, first and last row, account, cursor's receivedAt and id, (mailbox,) number of rows. */
function searchSql(scope: Pick<ListScope, 'mailbox' | 'unread' | 'hasAttachment'>): string {
  const inMailbox =
    scope.mailbox === null
      ? ''
      : 'AND EXISTS (SELECT 1 FROM mailbox_messages b WHERE b.mailbox = ? AND b.received_at = m.received_at AND b.id = m.id)';
  return `SELECT ${rowJson} AS json, m.received_at AS receivedAt, m.id AS id
    FROM message_search s CROSS JOIN messages m ON m.n = s.n
    WHERE s.message_search MATCH ? AND s.rowid >= (? << 21) AND s.rowid < ((? + 1) << 21)
      AND m.account = ? AND m.destroyed_at IS NULL
      AND (m.received_at, m.id) < (?, ?) ${inMailbox} ${filtersOf('m', scope)}
    ORDER BY s.rowid DESC LIMIT ?`;
}

function searchParams(
  scope: ListScope,
  match: string,
  range: { start: number; end?: number; limit: number },
): SqlValue[] {
  const { account, mailbox, end } = scope;
  const params: SqlValue[] = [match, range.start, range.end ?? lastMs(scope), account, end.receivedAt, end.id];
  if (mailbox !== null) params.push(mailbox);
  params.push(range.limit);
  return params;
}

/** Messages of the same millisecond are by id in the list, by arrival in the search: where the page ends among such, all of them are read. */
function inOrder(connection: Connection, scope: ListScope, match: string, found: ListedRow[]): ListedRow[] {
  const last = found.at(-1);
  if (last === undefined) return found;
  const ms = last.receivedAt;
  const isCut = found.length > scope.limit && found.at(-2)?.receivedAt === ms;
  const ties = isCut
    ? connection.all<ListedRow>(searchSql(scope), ...searchParams(scope, match, { start: ms, end: ms, limit: maxTies }))
    : [];
  const rows = isCut ? [...found.filter(({ receivedAt }) => receivedAt !== ms), ...ties] : found;
  return rows.sort((a, b) => b.receivedAt - a.receivedAt || (a.id < b.id ? 1 : -1));
}

const narrows = (scope: ListScope): boolean =>
  scope.mailbox !== null || scope.unread !== undefined || scope.hasAttachment !== undefined;

/** The receivedAt of the last hit that one page walks to; undefined when there are fewer hits than that. */
function walkFloor(connection: Connection, scope: ListScope, match: string): number | undefined {
  return connection.get<{ floor: number }>(
    `SELECT rowid >> 21 AS floor FROM message_search WHERE message_search MATCH ? AND rowid >= (? << 21) AND rowid < ((? + 1) << 21)
     ORDER BY rowid DESC LIMIT 1 OFFSET ?`,
    match,
    scope.start,
    lastMs(scope),
    maxWalkedHits,
  )?.floor;
}

/** The millisecond of the newest hits that can be before the cursor: a walk that began at its end again would never end. */
const lastMs = ({ end }: ListScope): number => (end.id <= smallestId ? end.receivedAt - 1 : end.receivedAt);

const maxWalkedHits = 5_000;
const maxTies = 5_000;
const smallestId = '00000000-0000-0000-0000-000000000000';
