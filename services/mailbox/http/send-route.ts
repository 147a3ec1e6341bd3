import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { problem } from '../../../libs/http/problem.ts';
import { type Caller, defineRoute, type Route } from '../../../libs/http/route.ts';
import { accountOf } from './caller-account.ts';
import type { Outbox } from './outbox.ts';
import { AccountPath, NewMessage, SentSchema } from './schemas.ts';

/** `POST …/messages`: composes a message and sends it through the same spool as SMTP, or keeps it as a draft. */
export function sendRoute({ outbox }: { outbox: Outbox }): Route {
  return defineRoute({
    method: 'post',
    path: '/api/v1/accounts/:account/messages',
    operationId: 'sendMessage',
    summary: 'Send a message, or keep it as a draft',
    description:
      '202: the message, every recipient and the copy in Sent are on stable storage. All recipients must be deliverable, or nothing is sent. ' +
      'With Idempotency-Key, repeating the request within 24 h answers the same and sends nothing again.',
    tags: ['messages'],
    access: 'account',
    scope: 'mail:send',
    params: AccountPath,
    body: NewMessage,
    maxBodyBytes: maxRequestBytes,
    replies: {
      201: { description: 'The draft is kept', schema: SentSchema },
      202: { description: 'Accepted', schema: SentSchema },
      404: 'problem',
      409: 'problem',
      422: 'problem',
      503: 'problem',
      507: 'problem',
    },
    handle: async ({ params, body, caller, request, signal }) => {
      accountOf(caller, params);
      if (body.draft) return { status: 201, body: await outbox.keepDraft(caller, body) };
      const key = idempotencyKey(request.headers['idempotency-key']);
      const idempotency =
        key === undefined ? undefined : { accountId: caller.accountId, key, requestHash: hashOf(body) };
      const before = idempotency === undefined ? undefined : await outbox.sentBefore(idempotency);
      if (before !== undefined) return { status: 202, body: before };
      return { status: 202, body: await outbox.send(caller, body, idempotency, signal) };
    },
  });
}

/** Attachments are base64 in JSON: 34 MiB of it carry 25 MiB. Larger mail goes by SMTP submission. */
const maxRequestBytes = 34 * 1024 * 1024;

/** draft-ietf-httpapi-idempotency-key-header: any short text; quotes of a structured string are taken off. */
function idempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  const key = (Array.isArray(header) ? header.join(',') : header).replace(/^"(.*)"$/, '$1');
  if (key.length === 0 || key.length > 255)
    throw problem('invalidRequest', 'Idempotency-Key takes 1 to 255 characters');
  return key;
}

/** Of the parsed request, so that white space and the order of members make no difference. */
function hashOf(body: z.output<typeof NewMessage>): string {
  return createHash('sha256').update(JSON.stringify(body)).digest('hex');
}

export type SendRequest = z.output<typeof NewMessage>;
export type SendCaller = Pick<Caller, 'accountId' | 'address'>;
