import { z } from 'zod';
import { defineRoute, type Route } from '../../../libs/http/route.ts';
import type { Mailboxes } from '../../../libs/store/ports/mailboxes.ts';
import type { Announcer } from '../announcer.ts';
import { accountOf } from './caller-account.ts';
import { AccountPath, listOf, MailboxPatch, MailboxPath, MailboxSchema, NewMailbox } from './schemas.ts';

/** `/api/v1/accounts/{account}/mailboxes`: the folders of an account. */
export function mailboxesRoutes({
  mailboxes,
  announcer,
}: {
  mailboxes: Mailboxes;
  announcer: Announcer;
}): readonly Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/api/v1/accounts/:account/mailboxes',
      operationId: 'listMailboxes',
      summary: 'All mailboxes with their counts',
      tags: ['mailboxes'],
      access: 'account',
      scope: 'mail:read',
      params: AccountPath,
      replies: {
        200: { description: 'The mailboxes', schema: listOf(MailboxSchema).extend({ state: z.string() }) },
        404: 'problem',
      },
      handle: async ({ params, caller }) => {
        const { state, mailboxes: items } = await mailboxes.mailboxes(accountOf(caller, params));
        return { status: 200, body: { items, nextCursor: null, state } };
      },
    }),
    defineRoute({
      method: 'post',
      path: '/api/v1/accounts/:account/mailboxes',
      operationId: 'createMailbox',
      summary: 'Make a mailbox',
      tags: ['mailboxes'],
      access: 'account',
      scope: 'mail:write',
      params: AccountPath,
      body: NewMailbox,
      replies: { 201: { description: 'Made', schema: MailboxSchema }, 404: 'problem', 409: 'problem' },
      handle: async ({ params, body, caller }) => {
        const made = await mailboxes.createMailbox(accountOf(caller, params), body);
        announcer.changed(caller.accountId);
        return { status: 201, body: made };
      },
    }),
    defineRoute({
      method: 'patch',
      path: '/api/v1/accounts/:account/mailboxes/:id',
      operationId: 'updateMailbox',
      summary: 'Rename or move a mailbox',
      tags: ['mailboxes'],
      access: 'account',
      scope: 'mail:write',
      params: MailboxPath,
      body: MailboxPatch,
      replies: { 200: { description: 'As it is now', schema: MailboxSchema }, 404: 'problem', 409: 'problem' },
      handle: async ({ params, body, caller }) => {
        const patch = {
          ...(body.name === undefined ? {} : { name: body.name }),
          ...(body.parentId === undefined ? {} : { parentId: body.parentId }),
        };
        const mailbox = await mailboxes.updateMailbox(accountOf(caller, params), params.id, patch);
        announcer.changed(caller.accountId);
        return { status: 200, body: mailbox };
      },
    }),
    defineRoute({
      method: 'delete',
      path: '/api/v1/accounts/:account/mailboxes/:id',
      operationId: 'deleteMailbox',
      summary: 'Delete a mailbox',
      description: 'One that holds messages is only deleted with `moveTo`, the mailbox that takes them.',
      tags: ['mailboxes'],
      access: 'account',
      scope: 'mail:write',
      params: MailboxPath,
      query: z.strictObject({ moveTo: z.string().max(64).optional() }),
      replies: { 204: { description: 'Deleted' }, 404: 'problem', 409: 'problem' },
      handle: async ({ params, query, caller }) => {
        await mailboxes.deleteMailbox(
          accountOf(caller, params),
          params.id,
          query.moveTo === undefined ? {} : { moveTo: query.moveTo },
        );
        announcer.changed(caller.accountId);
        return { status: 204 };
      },
    }),
  ];
}
