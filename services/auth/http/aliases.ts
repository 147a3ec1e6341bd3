import { z } from 'zod';
import { maxTargets } from '../../../libs/directory/alias-walk.ts';
import { type Route, defineRoute } from '../../../libs/http/route.ts';
import { parseAddress } from '../../../libs/mail/address/mailbox-address.ts';
import { addAlias, aliasKey, getAlias, removeAlias, updateAlias } from '../aliases.ts';
import type { AuthContext } from '../context.ts';
import { keyCursor, listOf, nextByKey, pageQuery } from './pages.ts';

export function aliasRoutes(context: AuthContext): Route[] {
  return [listAliases(context), createAlias(context), readAlias(context), changeAlias(context), deleteAlias(context)];
}

function listAliases(context: AuthContext): Route {
  return defineRoute({
    method: 'get',
    path: '/api/v1/aliases',
    operationId: 'listAliases',
    summary: 'Aliases and catch-alls, by address',
    tags: ['directory'],
    access: 'admin',
    scope: 'directory:read',
    query: pageQuery,
    replies: { 200: { description: 'A page of aliases.', schema: listOf(aliasSchema, 'AliasList') }, 400: 'problem' },
    async handle({ query: { limit, cursor } }) {
      const found = await context.directoryAdmin.aliases({ limit: limit + 1, ...keyCursor(cursor) });
      return {
        status: 200,
        body: { items: found.slice(0, limit).map(showAlias), nextCursor: nextByKey(found, limit) },
      };
    },
  });
}

function createAlias(context: AuthContext): Route {
  return defineRoute({
    method: 'post',
    path: '/api/v1/aliases',
    operationId: 'createAlias',
    summary: 'Add an alias, or with `@domain` as address a catch-all',
    description:
      'Targets are accounts and aliases of this system, and addresses elsewhere: what an alias forwards there goes under a return address of ours, so that bounces come back.',
    tags: ['directory'],
    access: 'admin',
    scope: 'directory:write',
    body: z.strictObject({ address: aliasAddress, targets }),
    replies: { 201: { description: 'The alias.', schema: aliasSchema }, 400: 'problem', 409: 'problem' },
    async handle({ body }) {
      const alias = await addAlias(context, body);
      const location = `/api/v1/aliases/${encodeURIComponent(alias.key)}`;
      return { status: 201, body: showAlias(alias), headers: { location } };
    },
  });
}

function readAlias(context: AuthContext): Route {
  return defineRoute({
    method: 'get',
    path: '/api/v1/aliases/:address',
    operationId: 'getAlias',
    summary: 'One alias',
    tags: ['directory'],
    access: 'admin',
    scope: 'directory:read',
    params: aliasPath,
    replies: { 200: { description: 'The alias.', schema: aliasSchema }, 404: 'problem' },
    async handle({ params }) {
      return { status: 200, body: showAlias(await getAlias(context, params.address)) };
    },
  });
}

function changeAlias(context: AuthContext): Route {
  return defineRoute({
    method: 'patch',
    path: '/api/v1/aliases/:address',
    operationId: 'updateAlias',
    summary: 'Give an alias other targets',
    tags: ['directory'],
    access: 'admin',
    scope: 'directory:write',
    params: aliasPath,
    body: z.strictObject({ targets }),
    replies: {
      200: { description: 'The alias.', schema: aliasSchema },
      400: 'problem',
      404: 'problem',
      409: 'problem',
    },
    async handle({ params, body }) {
      return { status: 200, body: showAlias(await updateAlias(context, params.address, body.targets)) };
    },
  });
}

function deleteAlias(context: AuthContext): Route {
  return defineRoute({
    method: 'delete',
    path: '/api/v1/aliases/:address',
    operationId: 'deleteAlias',
    summary: 'Remove an alias',
    tags: ['directory'],
    access: 'admin',
    scope: 'directory:write',
    params: aliasPath,
    replies: { 204: { description: 'It is gone.' }, 404: 'problem' },
    async handle({ params }) {
      await removeAlias(context, params.address);
      return { status: 204 };
    },
  });
}

const aliasPath = z.object({ address: z.string().max(330) });

const aliasAddress = z
  .string()
  .max(330)
  .refine((address) => aliasKey(address) !== undefined, 'an address, or @domain')
  .meta({ description: 'an address, or `@domain` for all that nobody has' });

const targets = z
  .array(
    z
      .string()
      .max(330)
      .refine((address) => parseAddress(address) !== undefined, 'an address'),
  )
  .min(1)
  .max(maxTargets);

const aliasSchema = z.object({ address: z.string(), targets: z.array(z.string()) }).meta({ id: 'Alias' });

function showAlias(alias: { address: string; targets: readonly string[] }): z.output<typeof aliasSchema> {
  return { address: alias.address, targets: [...alias.targets] };
}
