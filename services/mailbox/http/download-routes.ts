import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { problem } from '../../../libs/http/problem.ts';
import { defineRoute, type Route } from '../../../libs/http/route.ts';
import type { ParsePool } from '../../../libs/mail/parse-pool/parse-pool.ts';
import { accountOf } from './caller-account.ts';
import type { RawMessages } from './raw-message.ts';
import { AttachmentPath, MessagePath } from './schemas.ts';

/** `…/raw` and `…/attachments/{n}`: bytes. Mail is hostile: browsers are told to save and never to guess or run. */
export function downloadRoutes({ raw, parsePool }: { raw: RawMessages; parsePool: ParsePool }): readonly Route[] {
  return [
    defineRoute({
      method: 'get',
      path: '/api/v1/accounts/:account/messages/:id/raw',
      operationId: 'getRawMessage',
      summary: 'The message’s bytes: Return-Path, Received, then what was received',
      tags: ['messages'],
      access: 'account',
      scope: 'mail:read',
      params: MessagePath,
      replies: { 200: { description: 'RFC 5322 bytes', contentType: 'message/rfc822' }, 404: 'problem' },
      handle: async ({ params, caller, response, signal }) => {
        const { sizeBytes, bytes } = await raw.open(accountOf(caller, params), params.id);
        for (const [name, value] of Object.entries(downloadHeaders('message/rfc822', `${params.id}.eml`)))
          response.setHeader(name, value);
        response.setHeader('content-length', sizeBytes);
        await pipeline(Readable.from(bytes, { objectMode: false }), response, { signal });
        return 'handled';
      },
    }),
    defineRoute({
      method: 'get',
      path: '/api/v1/accounts/:account/messages/:id/attachments/:n',
      operationId: 'getAttachment',
      summary: 'One attachment, decoded',
      tags: ['messages'],
      access: 'account',
      scope: 'mail:read',
      params: AttachmentPath,
      replies: {
        200: { description: 'Its bytes with its own type', contentType: 'application/octet-stream' },
        404: 'problem',
      },
      handle: ({ params, caller, signal }) =>
        raw.withWhole(accountOf(caller, params), params.id, async (_row, bytes) => {
          const parsed = await parsePool.full(bytes, signal);
          const attachment = parsed.attachments.find(({ n }) => n === params.n);
          if (attachment === undefined) throw problem('notFound', 'attachment not found');
          const content = await parsePool.part(bytes, attachment, signal);
          const headers = downloadHeaders(attachment.type, attachment.name ?? `attachment-${params.n}`);
          return { status: 200, body: content, headers };
        }),
    }),
  ];
}

function downloadHeaders(type: string, name: string): Record<string, string> {
  // RFC 6266 §4.3 and RFC 8187: the plain name in ASCII, the whole one in UTF-8.
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, '_').slice(0, 200);
  const whole = encodeURIComponent(name.slice(0, 200).toWellFormed()).replace(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return {
    // A type is only passed on when it has the form of one: it comes from the sender.
    'content-type': /^[\w.+-]{1,63}\/[\w.+-]{1,63}$/.test(type) ? type : 'application/octet-stream',
    'content-disposition': `attachment; filename="${plain}"; filename*=UTF-8''${whole}`,
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; sandbox",
    'cache-control': 'private, no-store',
  };
}
