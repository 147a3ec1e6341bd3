import { z } from 'zod';
import { problem } from '../../../libs/http/problem.ts';
import { defineRoute, type Route } from '../../../libs/http/route.ts';
import type { ParsePool } from '../../../libs/mail/parse-pool/parse-pool.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import { PreconditionFailed } from '../../../libs/store/errors.ts';
import type { Mailboxes, MessageRow } from '../../../libs/store/ports/mailboxes.ts';
import type { Announcer } from '../announcer.ts';
import { accountOf } from './caller-account.ts';
import type { RawMessages } from './raw-message.ts';
import { etagOf, messageItem, wholeMessage } from './represent.ts';
import { MessageItemSchema, MessagePatchSchema, MessagePath, MessageSchema } from './schemas.ts';

export interface MessageRouteDeps {
  mailboxes: Mailboxes;
  raw: RawMessages;
  parsePool: ParsePool;
  clock: Clock;
  announcer: Announcer;
}

/** `…/messages/{id}`: read, change, move to the trash, expunge. */
export function messageRoutes({ mailboxes, raw, parsePool, clock, announcer }: MessageRouteDeps): readonly Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/api/v1/accounts/:account/messages/:id',
      operationId: 'getMessage',
      summary: 'One message with its text and attachments',
      tags: ['messages'],
      access: 'account',
      scope: 'mail:read',
      params: MessagePath,
      replies: {
        200: { description: 'The message; ETag names this version of it', schema: MessageSchema },
        404: 'problem',
      },
      handle: ({ params, caller, signal }) =>
        raw.withWhole(accountOf(caller, params), params.id, async (row, bytes) => {
          const parsed = await parsePool.full(bytes, signal);
          return { status: 200, body: wholeMessage(row, parsed), headers: { etag: etagOf(row) } };
        }),
    }),
    defineRoute({
      method: 'patch',
      path: '/api/v1/accounts/:account/messages/:id',
      operationId: 'updateMessage',
      summary: 'Change keywords and mailboxes',
      description: 'A merge: what isn’t named stays. If-Match is honoured, not required.',
      tags: ['messages'],
      access: 'account',
      scope: 'mail:write',
      params: MessagePath,
      body: MessagePatchSchema,
      replies: {
        200: { description: 'As it is now', schema: MessageItemSchema },
        404: 'problem',
        409: 'problem',
        412: 'problem',
      },
      handle: async ({ params, body, caller, request }) => {
        const patch = {
          ...(body.keywords === undefined ? {} : { keywords: lowerCased(asFlags(body.keywords)) }),
          ...(body.mailboxIds === undefined ? {} : { mailboxIds: asFlags(body.mailboxIds) }),
        };
        const row = await mailboxes.update(
          accountOf(caller, params),
          params.id,
          patch,
          ifMatch(request.headers['if-match']),
        );
        announcer.changed(caller.accountId);
        return { status: 200, body: messageItem(row), headers: { etag: etagOf(row) } };
      },
    }),
    defineRoute({
      method: 'delete',
      path: '/api/v1/accounts/:account/messages/:id',
      operationId: 'deleteMessage',
      summary: 'Move to the trash; from there, or with permanent, expunge',
      tags: ['messages'],
      access: 'account',
      scope: 'mail:write',
      params: MessagePath,
      query: z.strictObject({ permanent: z.enum(['true', 'false']).optional() }),
      replies: { 204: { description: 'Moved or expunged' }, 404: 'problem', 412: 'problem' },
      handle: async ({ params, query, caller, request }) => {
        const accountId = accountOf(caller, params);
        const condition = ifMatch(request.headers['if-match']);
        const now = clock.nowMs();
        if (query.permanent === 'true') await mailboxes.destroy(accountId, params.id, { ...condition, now });
        else await discard(mailboxes, accountId, params.id, condition, now);
        announcer.changed(accountId);
        return { status: 204 };
      },
    }),
  ];
}

/** To the trash, or out of it for good. Another change in between is looked at again, except where the caller has said which version it means. */
async function discard(
  mailboxes: Mailboxes,
  accountId: string,
  id: string,
  condition: { ifModseq?: number },
  now: number,
): Promise<void> {
  const { mailboxes: all } = await mailboxes.mailboxes(accountId);
  const trash = all.find((mailbox) => mailbox.role === 'trash');
  for (let tries = 1; ; tries += 1) {
    const row = await mailboxes.get(accountId, id);
    const version = { ifModseq: condition.ifModseq ?? row.modseq };
    try {
      if (trash === undefined || row.mailboxIds.includes(trash.id))
        await mailboxes.destroy(accountId, id, { ...version, now });
      else await mailboxes.update(accountId, id, { mailboxIds: onlyIn(row, trash.id) }, version);
      return;
    } catch (error) {
      if (!(error instanceof PreconditionFailed) || condition.ifModseq !== undefined || tries >= maxTries) throw error;
    }
  }
}

const maxTries = 5;

function onlyIn(row: MessageRow, mailboxId: string): Record<string, boolean> {
  return { ...Object.fromEntries(row.mailboxIds.map((id) => [id, false])), [mailboxId]: true };
}

/** RFC 9110 §13.1.1: one strong ETag of ours, or `*`. */
function ifMatch(header: string | undefined): { ifModseq?: number } {
  if (header === undefined || header.trim() === '*') return {};
  const version = /^"(\d{1,15})"$/.exec(header.trim())?.[1];
  if (version === undefined) throw problem('preconditionFailed', 'If-Match takes one ETag as it was given');
  return { ifModseq: Number(version) };
}

function asFlags(merge: Readonly<Record<string, boolean | null>>): Record<string, boolean> {
  return Object.fromEntries(Object.entries(merge).map(([name, value]) => [name, value === true]));
}

/** RFC 8621 §4.1.1: keywords are case-insensitive and kept in lower case. */
function lowerCased(flags: Readonly<Record<string, boolean>>): Record<string, boolean> {
  return Object.fromEntries(Object.entries(flags).map(([name, value]) => [name.toLowerCase(), value]));
}
