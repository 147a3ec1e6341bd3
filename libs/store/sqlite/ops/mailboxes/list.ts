import { NotFound } from '../../../errors.ts';
import type { ListCursor, MessageFilter } from '../../../ports/mailboxes.ts';
import type { Connection, SqlValue } from '../../engine/connection.ts';
import { accountOf, stateOf } from './account-state.ts';
import { cutPage, type ListedRow } from './list-page.ts';
import { listSql, type Narrowing } from './list-sql.ts';
import { matchExpression } from './match-expression.ts';
import { searchPage } from './search-page.ts';

export interface ListArgs {
  accountId: string;
  filter: MessageFilter;
  limit: number;
  cursor?: ListCursor;
}

/** `messages`: JSON of MessageRow each. */
export interface ListedPage {
  state: string;
  messages: string[];
  next: ListCursor | null;
}

/** What a page is taken from, in terms of the tables. */
export interface ListScope extends Narrowing {
  account: number;
  /** Number of the mailbox; null for all mail. */
  mailbox: number | null;
  /** Only messages before this in the list. */
  end: ListCursor;
  /** receivedAt >= start. */
  start: number;
  limit: number;
}

export function list(connection: Connection, args: ListArgs): ListedPage {
  const account = accountOf(connection, args.accountId);
  const { filter } = args;
  const scope: ListScope = {
    account: account.account,
    mailbox: filter.mailbox === undefined ? null : mailboxNumber(connection, account.account, filter.mailbox),
    unread: filter.unread,
    hasAttachment: filter.hasAttachment,
    end: earlier(args.cursor, filter.before),
    start: clamp(filter.since ?? earliest),
    limit: args.limit,
  };
  const match = matchExpression(account.account, filter);
  const page = match === undefined ? plainPage(connection, scope) : searchPage(connection, scope, match);
  return { state: stateOf(connection, account), messages: page.rows.map(({ json }) => json), next: page.next };
}

/** RFC 8621 gives neither: a mailbox is named by id or by role; both are NotFound when the account has none. */
function mailboxNumber(connection: Connection, account: number, name: string): number {
  const row =
    connection.get<{ mailbox: number }>('SELECT mailbox FROM mailboxes WHERE account = ? AND id = ?', account, name) ??
    connection.get<{ mailbox: number }>('SELECT mailbox FROM mailboxes WHERE account = ? AND role = ?', account, name);
  if (row === undefined) throw new NotFound('mailbox');
  return row.mailbox;
}

function plainPage(connection: Connection, scope: ListScope): { rows: ListedRow[]; next: ListCursor | null } {
  const { account, mailbox, end, start, limit } = scope;
  const params: SqlValue[] = [mailbox ?? account, end.receivedAt, end.id, start, limit + 1];
  const rows = connection.all<ListedRow>(listSql(mailbox === null ? 'account' : 'mailbox', scope), ...params);
  return cutPage(rows, limit);
}

function earlier(cursor: ListCursor | undefined, before: number | undefined): ListCursor {
  const fromCursor = cursor === undefined ? endOfTime : { receivedAt: clamp(cursor.receivedAt), id: cursor.id };
  const end = clamp(before ?? latest);
  return end <= fromCursor.receivedAt ? { receivedAt: end, id: '' } : fromCursor;
}

/** Times are 42 bits in the search's rows: until 2109. One less than fits, for a search ends before the next millisecond's first row. */
const latest = 2 ** 42 - 2;
const earliest = 0;
const endOfTime: ListCursor = { receivedAt: latest, id: '' };

const clamp = (time: number): number => Math.ceil(Math.min(Math.max(time, earliest), latest));
