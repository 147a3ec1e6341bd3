import { z } from 'zod';
import { problem } from '../../../libs/http/problem.ts';
import { type Caller, type Route, defineRoute, scopes } from '../../../libs/http/route.ts';
import { isId } from '../../../libs/runtime/ids.ts';
import type { TokenRow } from '../../../libs/store/ports/credentials.ts';
import { decodeCursor, encodeCursor } from '../../../libs/http/cursor.ts';
import type { AuthContext } from '../context.ts';
import { createToken, removeToken } from '../tokens.ts';
import { listOf, pageQuery } from './pages.ts';

/** Tokens of the caller's own account. */
export function tokenRoutes(context: AuthContext): Route[] {
  return [listTokens(context), makeToken(context), deleteToken(context)];
}

function listTokens(context: AuthContext): Route {
  return defineRoute({
    method: 'get',
    path: '/api/v1/tokens',
    operationId: 'listTokens',
    summary: 'Your tokens, oldest first, without their secrets',
    tags: ['tokens'],
    access: 'account',
    scope: 'directory:read',
    query: pageQuery,
    replies: { 200: { description: 'A page of tokens.', schema: listOf(tokenSchema, 'TokenList') }, 400: 'problem' },
    async handle({ query: { limit, cursor }, caller }) {
      const after = cursor === undefined ? {} : { cursor: decodeCursor(idCursor, cursor).id };
      const found = await context.credentials.tokens(caller.accountId, { limit: limit + 1, ...after });
      const items = found.slice(0, limit);
      const last = found.length > limit ? items.at(-1) : undefined;
      const nextCursor = last === undefined ? null : encodeCursor({ id: last.id });
      return { status: 200, body: { items: items.map(showToken), nextCursor } };
    },
  });
}

function makeToken(context: AuthContext): Route {
  return defineRoute({
    method: 'post',
    path: '/api/v1/tokens',
    operationId: 'createToken',
    summary: 'Make a token with some of your rights; the answer shows it once',
    description: 'Needs your password: a token can’t make another.',
    tags: ['tokens'],
    access: 'account',
    body: z.strictObject({
      name: z.string().min(1).max(256),
      scopes: z.array(z.enum(scopes)).min(1).max(scopes.length),
      expiresAt: z.iso.datetime({ offset: true }).nullable().default(null),
    }),
    replies: { 201: { description: 'The token.', schema: newTokenSchema }, 400: 'problem', 409: 'problem' },
    async handle({ body, caller }) {
      needPassword(caller);
      const expiresAt = body.expiresAt === null ? null : Date.parse(body.expiresAt);
      if (expiresAt !== null && expiresAt <= context.clock.nowMs()) {
        throw problem('invalidRequest', 'body.expiresAt: a time to come', {
          extra: { errors: [{ path: 'body.expiresAt', message: 'a time to come' }] },
        });
      }
      const input = { accountId: caller.accountId, name: body.name, scopes: [...new Set(body.scopes)], expiresAt };
      const { row, token } = await createToken(context, input);
      return { status: 201, body: { ...showToken(row), token }, headers: { 'cache-control': 'no-store' } };
    },
  });
}

function deleteToken(context: AuthContext): Route {
  return defineRoute({
    method: 'delete',
    path: '/api/v1/tokens/:id',
    operationId: 'deleteToken',
    summary: 'End a token',
    tags: ['tokens'],
    access: 'account',
    scope: 'directory:write',
    params: z.object({ id: z.string().max(64) }),
    replies: { 204: { description: 'It is gone; what was kept of it ends within 2 s.' }, 404: 'problem' },
    async handle({ params, caller }) {
      if (!isId(params.id)) throw problem('notFound', 'token not found');
      await removeToken(context, caller.accountId, params.id);
      return { status: 204 };
    },
  });
}

const tokenSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(z.enum(scopes)),
    expiresAt: z.iso.datetime().nullable(),
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Token' });

const newTokenSchema = tokenSchema
  .extend({ token: z.string().meta({ description: 'the secret; shown in this answer alone' }) })
  .meta({ id: 'NewToken' });

const idCursor = z.strictObject({ id: z.uuid() });

/** A token or an application password must not make something that reaches further than it does. */
function needPassword(caller: Caller): void {
  if (caller.scopes.length > 0) throw problem('forbidden', 'this needs the account’s own password');
}

function showToken({ id, name, scopes: granted, expiresAt, createdAt }: TokenRow): z.output<typeof tokenSchema> {
  return {
    id,
    name,
    scopes: scopes.filter((scope) => granted.includes(scope)),
    expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
    createdAt: new Date(createdAt).toISOString(),
  };
}
