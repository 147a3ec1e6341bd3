import { createClientReader } from '../../../libs/http/client.ts';
import { decodeCursor, encodeCursor } from '../../../libs/http/cursor.ts';
import { problem } from '../../../libs/http/problem.ts';
import { defineRoute, type Route } from '../../../libs/http/route.ts';
import { type AccountHttpDeps, needPassword, reachableAccount } from './account-access.ts';
import { askAuth } from './account-answers.ts';
import {
  AccountListSchema,
  AccountPatchSchema,
  AccountSchema,
  AccountUseSchema,
  accountCursor,
  accountPage,
  NewAccountSchema,
  showAccount,
} from './account-schemas.ts';
import { appPasswordRoutes } from './app-passwords.ts';
import { AccountPath } from './schemas.ts';

/** Accounts themselves. Their paths are mailbox's, what they are is auth's: each is a request over the bus; who may ask is checked here. */
export function accountRoutes(deps: AccountHttpDeps): Route[] {
  return [
    listAccounts(deps),
    createAccount(deps),
    getAccount(deps),
    updateAccount(deps),
    deleteAccount(deps),
    ...appPasswordRoutes(deps),
  ];
}

function listAccounts({ bus }: AccountHttpDeps): Route {
  return defineRoute({
    method: 'get',
    path: '/api/v1/accounts',
    operationId: 'listAccounts',
    summary: 'Accounts, by address',
    tags: ['accounts'],
    access: 'admin',
    scope: 'directory:read',
    query: accountPage,
    replies: { 200: { description: 'A page of accounts.', schema: AccountListSchema }, 400: 'problem' },
    async handle({ query: { limit, cursor }, signal }) {
      const after = cursor === undefined ? {} : { after: decodeCursor(accountCursor, cursor).after };
      const { accounts, next } = await askAuth(bus, 'account.list', { limit, ...after }, signal);
      const nextCursor = next === null ? null : encodeCursor({ after: next });
      return { status: 200, body: { items: accounts.map(showAccount), nextCursor } };
    },
  });
}

function createAccount({ bus }: AccountHttpDeps): Route {
  return defineRoute({
    method: 'post',
    path: '/api/v1/accounts',
    operationId: 'createAccount',
    summary: 'Make an account',
    tags: ['accounts'],
    access: 'admin',
    scope: 'directory:write',
    body: NewAccountSchema,
    replies: { 201: { description: 'The account.', schema: AccountSchema }, 400: 'problem', 409: 'problem' },
    async handle({ body, caller, signal }) {
      if (body.admin === true) needPassword(caller);
      const { account } = await askAuth(bus, 'account.create', body, signal);
      return { status: 201, body: showAccount(account), headers: { location: `/api/v1/accounts/${account.id}` } };
    },
  });
}

function getAccount({ bus }: AccountHttpDeps): Route {
  return defineRoute({
    method: 'get',
    path: '/api/v1/accounts/:account',
    operationId: 'getAccount',
    summary: 'Your account; for administrators any',
    description: 'Of another account a token needs the scope directory:read.',
    tags: ['accounts'],
    access: 'account',
    params: AccountPath,
    replies: { 200: { description: 'The account.', schema: AccountUseSchema }, 404: 'problem' },
    async handle({ params, caller, signal }) {
      const id = reachableAccount(caller, params.account, 'directory:read');
      const { account, usage } = await askAuth(bus, 'account.get', { id }, signal);
      return { status: 200, body: { ...showAccount(account), usage } };
    },
  });
}

function updateAccount({ bus, config }: AccountHttpDeps): Route {
  const clientOf = createClientReader(config.trustedProxies);
  return defineRoute({
    method: 'patch',
    path: '/api/v1/accounts/:account',
    operationId: 'updateAccount',
    summary: 'Change an account: administrators everything, everybody their own password and displayName',
    description:
      'Who isn’t an administrator gives `currentPassword`. A token makes no administrators, and changes neither their passwords nor that of its own account.',
    tags: ['accounts'],
    access: 'account',
    scope: 'directory:write',
    params: AccountPath,
    body: AccountPatchSchema,
    replies: {
      200: { description: 'The account.', schema: AccountSchema },
      400: 'problem',
      403: 'problem',
      404: 'problem',
      409: 'problem',
      429: 'problem',
    },
    async handle({ params, body, caller, request, signal }) {
      const id = reachableAccount(caller, params.account, 'directory:write');
      // A token that could give itself the password of its account, or of an administrator, would have no limits.
      const isGuarded = async (): Promise<boolean> =>
        id === caller.accountId || (await askAuth(bus, 'account.get', { id }, signal)).account.admin;
      const { currentPassword, ...patch } = body;
      if (!caller.admin) allowOwnChange(body);
      if (patch.admin !== undefined || (patch.password !== undefined && (await isGuarded()))) needPassword(caller);
      const proof =
        currentPassword === undefined ? undefined : { currentPassword, remoteAddress: clientOf(request).address };
      const change = { id, patch, ...(proof === undefined ? {} : { proof }) };
      const { account } = await askAuth(bus, 'account.update', change, signal);
      return { status: 200, body: showAccount(account) };
    },
  });
}

function deleteAccount({ bus }: AccountHttpDeps): Route {
  return defineRoute({
    method: 'delete',
    path: '/api/v1/accounts/:account',
    operationId: 'deleteAccount',
    summary: 'Remove an account with all its mail',
    tags: ['accounts'],
    access: 'admin',
    scope: 'directory:write',
    params: AccountPath,
    replies: { 204: { description: 'It is gone; its mail follows.' }, 404: 'problem', 409: 'problem' },
    async handle({ params, caller, signal }) {
      const id = reachableAccount(caller, params.account, 'directory:write');
      await askAuth(bus, 'account.remove', { id }, signal);
      return { status: 204 };
    },
  });
}

function allowOwnChange(body: {
  enabled?: unknown;
  admin?: unknown;
  quota?: unknown;
  currentPassword?: unknown;
}): void {
  if (body.enabled !== undefined || body.admin !== undefined || body.quota !== undefined) {
    throw problem('forbidden', 'only an administrator changes enabled, admin and quota');
  }
  if (body.currentPassword === undefined) throw problem('forbidden', 'currentPassword is needed');
}
