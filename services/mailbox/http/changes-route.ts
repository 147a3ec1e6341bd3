import { z } from 'zod';
import { defineRoute, type Route } from '../../../libs/http/route.ts';
import type { Mailboxes } from '../../../libs/store/ports/mailboxes.ts';
import { accountOf } from './caller-account.ts';
import { AccountPath, ChangesSchema } from './schemas.ts';

/** `GET …/changes?since=`: what a client that has seen `since` must read again (RFC 8620 §5.2). */
export function changesRoute({ mailboxes }: { mailboxes: Mailboxes }): Route {
  return defineRoute({
    method: 'get',
    path: '/api/v1/accounts/:account/changes',
    operationId: 'listChanges',
    summary: 'Ids of messages that changed since a state',
    tags: ['messages'],
    access: 'account',
    scope: 'mail:read',
    params: AccountPath,
    query: z.strictObject({
      since: z.string().min(1).max(100).meta({ description: 'a `state` of any answer before' }),
      limit: z.coerce.number().int().min(1).max(5_000).default(500),
    }),
    replies: { 200: { description: 'Changes, oldest first', schema: ChangesSchema }, 404: 'problem', 410: 'problem' },
    handle: async ({ params, query, caller }) => ({
      status: 200,
      body: await mailboxes.changes(accountOf(caller, params), query.since, query.limit),
    }),
  });
}
