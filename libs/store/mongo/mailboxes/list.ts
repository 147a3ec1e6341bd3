import type { Filter } from 'mongodb';
import { NotFound } from '../../errors.ts';
import type { ListCursor, MessageFilter, MessagePage } from '../../ports/mailboxes.ts';
import type { SnapshotReads } from '../database.ts';
import { type MailContext, readAccount, stateOf } from './context.ts';
import { type MailAccountDocument, type MessageDocument, messageRow, wantedFlags } from './documents.ts';
import { cutPage, type Page } from './page.ts';
import { type SearchScope, searchPage, smallestId, type TimeRange } from './search/search-page.ts';
import { type SearchQuery, searchQuery } from './search/search-query.ts';

/** One walk along an index from the cursor on, newest first. */
export function list(
  context: MailContext,
  accountId: string,
  filter: MessageFilter,
  { limit, cursor }: { limit: number; cursor?: ListCursor },
): Promise<MessagePage> {
  return readAccount(context, accountId, async (account, reads) => {
    const mailboxId = filter.mailbox === undefined ? undefined : mailboxNamed(account, filter.mailbox);
    const range = rangeOf(filter, cursor);
    const scope = { conditions: conditions(accountId, mailboxId, filter, range, cursor), range, limit };
    const query = searchQuery(accountId, filter);
    const page =
      query === undefined ? plainPage(reads, scope, mailboxId !== undefined) : search(reads, scope, filter, query);
    const { rows, next } = await page;
    return {
      state: stateOf(context, account),
      messages: context.database.newer.readable('messages', rows).map(messageRow),
      next,
    };
  });
}

type Scope = Pick<SearchScope, 'conditions' | 'range' | 'limit'>;

async function plainPage(
  { messages, session }: SnapshotReads,
  { conditions: filter, limit }: Scope,
  inMailbox: boolean,
): Promise<Page> {
  const rows = await messages
    .find(filter, { session, hint: inMailbox ? 'messages_by_mailbox' : 'messages_by_time' })
    .sort({ receivedAt: -1, _id: -1 })
    .limit(limit + 1)
    .toArray();
  return cutPage(rows, limit);
}

async function search(
  reads: SnapshotReads,
  scope: Scope,
  { mailbox, unread, hasAttachment }: MessageFilter,
  query: SearchQuery | 'nothing',
): Promise<Page> {
  if (query === 'nothing') return { rows: [], next: null };
  const narrows = mailbox !== undefined || unread !== undefined || hasAttachment !== undefined;
  return searchPage(reads, { ...scope, query, narrows });
}

/** A mailbox is named by id or by role. */
function mailboxNamed({ mailboxes }: MailAccountDocument, name: string): string {
  if (Object.hasOwn(mailboxes, name)) return name;
  for (const [id, { role }] of Object.entries(mailboxes)) if (role === name) return id;
  throw new NotFound('mailbox');
}

function rangeOf({ since, before }: MessageFilter, cursor: ListCursor | undefined): TimeRange {
  const range: TimeRange = since === undefined ? {} : { $gte: since };
  if (before !== undefined && (cursor === undefined || before <= cursor.receivedAt)) return { ...range, $lt: before };
  if (cursor === undefined) return range;
  return cursor.id <= smallestId ? { ...range, $lt: cursor.receivedAt } : { ...range, $lte: cursor.receivedAt };
}

function conditions(
  accountId: string,
  mailboxId: string | undefined,
  { unread, hasAttachment }: MessageFilter,
  receivedAt: TimeRange,
  cursor: ListCursor | undefined,
): Filter<MessageDocument> {
  const found: Filter<MessageDocument> = { accountId, flags: { $in: wantedFlags(unread, hasAttachment) } };
  if (mailboxId !== undefined) found.mailboxIds = mailboxId;
  if (Object.keys(receivedAt).length > 0) found.receivedAt = receivedAt;
  // Of what came in the same millisecond as the cursor's message, what is after it. As an $or of two ranges it would be sorted in memory.
  if (cursor !== undefined && receivedAt.$lte !== undefined) {
    found.$nor = [{ receivedAt: cursor.receivedAt, _id: { $gte: cursor.id } }];
  }
  return found;
}
