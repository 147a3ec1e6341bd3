import { z } from 'zod';
import { problem } from '../../../libs/http/problem.ts';
import { defineRoute, type Route } from '../../../libs/http/route.ts';
import { isId } from '../../../libs/runtime/ids.ts';
import { askAuth } from './account-answers.ts';
import { type AccountHttpDeps, needPassword, reachableAccount } from './account-access.ts';
import { AccountPath } from './schemas.ts';

/** Passwords for single programs: they read and send mail and change nothing of the account. */
export function appPasswordRoutes(deps: AccountHttpDeps): Route[] {
  return [listAppPasswords(deps), createAppPassword(deps), deleteAppPassword(deps)];
}

const path = '/api/v1/accounts/:account/app-passwords';

function listAppPasswords({ bus }: AccountHttpDeps): Route {
  return defineRoute({
    method: 'get',
    path,
    operationId: 'listAppPasswords',
    summary: 'Application passwords, oldest first, without their secrets',
    tags: ['accounts'],
    access: 'account',
    scope: 'directory:read',
    params: AccountPath,
    replies: { 200: { description: 'All of them, at most 100.', schema: AppPasswordListSchema }, 404: 'problem' },
    async handle({ params, caller, signal }) {
      const accountId = reachableAccount(caller, params.account, 'directory:read');
      const { items } = await askAuth(bus, 'appPassword.list', { accountId }, signal);
      return { status: 200, body: { items: items.map(showAppPassword), nextCursor: null } };
    },
  });
}

function createAppPassword({ bus }: AccountHttpDeps): Route {
  return defineRoute({
    method: 'post',
    path,
    operationId: 'createAppPassword',
    summary: 'Make an application password; the answer shows it once',
    description: 'Needs the account’s own password: neither a token nor an application password can make one.',
    tags: ['accounts'],
    access: 'account',
    params: AccountPath,
    body: z.strictObject({ name: z.string().min(1).max(256) }),
    replies: {
      201: { description: 'The application password.', schema: NewAppPasswordSchema },
      400: 'problem',
      403: 'problem',
      404: 'problem',
      409: 'problem',
    },
    async handle({ params, body, caller, signal }) {
      needPassword(caller);
      const accountId = reachableAccount(caller, params.account, 'directory:write');
      const { item, password } = await askAuth(bus, 'appPassword.add', { accountId, name: body.name }, signal);
      return { status: 201, body: { ...showAppPassword(item), password }, headers: { 'cache-control': 'no-store' } };
    },
  });
}

function deleteAppPassword({ bus }: AccountHttpDeps): Route {
  return defineRoute({
    method: 'delete',
    path: `${path}/:id`,
    operationId: 'deleteAppPassword',
    summary: 'End an application password',
    tags: ['accounts'],
    access: 'account',
    scope: 'directory:write',
    params: AccountPath.extend({ id: z.string().max(64) }),
    replies: { 204: { description: 'It is gone; logins that were kept end within 2 s.' }, 404: 'problem' },
    async handle({ params, caller, signal }) {
      const accountId = reachableAccount(caller, params.account, 'directory:write');
      if (!isId(params.id)) throw problem('notFound', 'application password not found');
      await askAuth(bus, 'appPassword.remove', { accountId, id: params.id }, signal);
      return { status: 204 };
    },
  });
}

const AppPasswordSchema = z
  .object({ id: z.string(), name: z.string(), createdAt: z.iso.datetime() })
  .meta({ id: 'AppPassword' });

const AppPasswordListSchema = z
  .object({ items: z.array(AppPasswordSchema), nextCursor: z.null() })
  .meta({ id: 'AppPasswordList' });

const NewAppPasswordSchema = AppPasswordSchema.extend({
  password: z.string().meta({ description: 'the secret; shown in this answer alone' }),
}).meta({ id: 'NewAppPassword' });

function showAppPassword(item: { id: string; name: string; createdAt: number }): z.output<typeof AppPasswordSchema> {
  return { ...item, createdAt: new Date(item.createdAt).toISOString() };
}
