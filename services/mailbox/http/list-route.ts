import { z } from 'zod';
import { decodeCursor, encodeCursor } from '../../../libs/http/cursor.ts';
import { defineRoute, type Route } from '../../../libs/http/route.ts';
import { queryTerms } from '../../../libs/mail/search/query-terms.ts';
import type { Mailboxes, MessageFilter } from '../../../libs/store/ports/mailboxes.ts';
import { accountOf } from './caller-account.ts';
import { messageItem } from './represent.ts';
import { AccountPath, listOf, MessageItemSchema, MessageQuery } from './schemas.ts';

/** `GET /api/v1/accounts/{account}/messages`: newest first, filtered, with a cursor that stays right while mail arrives. */
export function listRoute({ mailboxes }: { mailboxes: Mailboxes }): Route {
  return defineRoute({
    method: 'get',
    path: '/api/v1/accounts/:account/messages',
    operationId: 'listMessages',
    summary: 'List or search messages, newest first',
    tags: ['messages'],
    access: 'account',
    scope: 'mail:read',
    params: AccountPath,
    query: MessageQuery,
    replies: {
      200: {
        description: 'A page; `state` is that of the account it was read from',
        schema: listOf(MessageItemSchema).extend({ state: z.string() }),
      },
      400: 'problem',
      404: 'problem',
    },
    handle: async ({ params, query, caller }) => {
      const accountId = accountOf(caller, params);
      const cursor = query.cursor === undefined ? undefined : decodeCursor(cursorSchema, query.cursor);
      const page = await mailboxes.list(accountId, filterOf(query), {
        limit: query.limit,
        ...(cursor === undefined ? {} : { cursor }),
      });
      const nextCursor = page.next === null ? null : encodeCursor(page.next);
      return { status: 200, body: { items: page.messages.map(messageItem), nextCursor, state: page.state } };
    },
  });
}

const cursorSchema = z.strictObject({ receivedAt: z.number(), id: z.string().max(64) });

const searchFilters = ['text', 'from', 'to', 'subject'] as const;

function filterOf({ text, from, to, subject, ...plain }: z.output<typeof MessageQuery>): MessageFilter {
  const filter: MessageFilter = {};
  if (plain.mailbox !== undefined) filter.mailbox = plain.mailbox;
  if (plain.since !== undefined) filter.since = plain.since;
  if (plain.before !== undefined) filter.before = plain.before;
  if (plain.unread !== undefined) filter.unread = plain.unread;
  if (plain.hasAttachment !== undefined) filter.hasAttachment = plain.hasAttachment;
  const words = { text, from, to, subject };
  for (const name of searchFilters) {
    const searched = words[name];
    if (searched !== undefined) filter[name] = queryTerms(searched);
  }
  return filter;
}
