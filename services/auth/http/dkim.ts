import { z } from 'zod';
import { type Route, defineRoute } from '../../../libs/http/route.ts';
import { dkimAlgorithms } from '../../../libs/mail/dkim/algorithm.ts';
import { dkimRecord } from '../../../libs/mail/dkim/dns-record.ts';
import type { DkimKey } from '../../../libs/store/ports/dkim-keys.ts';
import type { AuthContext } from '../context.ts';
import { checkRecord } from '../dkim/check.ts';
import { activateKey, addKey, keyOf, ownDomain, removeKey, retireKey, rotateKeys } from '../dkim/keys.ts';
import { listOf } from './pages.ts';

export function dkimRoutes(context: AuthContext): Route[] {
  return [
    list(context),
    add(context),
    rotate(context),
    activate(context),
    retire(context),
    check(context),
    remove(context),
  ];
}

function list(context: AuthContext): Route {
  return defineRoute({
    ...common('listDkimKeys', 'The DKIM keys of a domain with their DNS records, oldest first'),
    method: 'get',
    path: keysPath,
    scope: 'directory:read',
    params: domainParams,
    replies: { 200: { description: 'All of them.', schema: keyList }, 404: 'problem' },
    async handle({ params }) {
      const keys = await context.dkimKeys.list(await ownDomain(context, params.name));
      return { status: 200, body: { items: keys.map(showKey), nextCursor: null } };
    },
  });
}

function add(context: AuthContext): Route {
  return defineRoute({
    ...common('createDkimKey', 'Make a DKIM key, which signs once it is active; the private key is never shown'),
    method: 'post',
    path: keysPath,
    params: domainParams,
    body: z.strictObject({
      algorithm: z.enum(dkimAlgorithms),
      selector: z
        .string()
        .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'a label of the DNS in lower case')
        .optional()
        .meta({ description: 'default: by date and algorithm, such as wp-20261123-rsa' }),
    }),
    replies: { 201: { description: 'The key.', schema: keySchema }, 400: 'problem', 404: 'problem', 409: 'problem' },
    async handle({ params, body }) {
      const domain = await ownDomain(context, params.name);
      const key = await addKey(context, domain, body);
      const location = `/api/v1/domains/${domain}/dkim/${key.selector}`;
      return { status: 201, body: showKey(key), headers: { location } };
    },
  });
}

function rotate(context: AuthContext): Route {
  return defineRoute({
    ...common('rotateDkimKeys', 'Make new keys in place of those that sign'),
    description:
      'The new keys sign once their records are seen in the DNS, or at once with `now`. Those that they replace stay for `keepDays`, as their records should.',
    method: 'post',
    path: `${keysPath}/rotate`,
    params: domainParams,
    body: z.strictObject({ now: z.boolean().default(false), keepDays }),
    replies: {
      200: { description: 'The new keys.', schema: keyList },
      404: 'problem',
      409: 'problem',
    },
    async handle({ params, body }) {
      const domain = await ownDomain(context, params.name);
      const keys = await rotateKeys(context, domain, { now: body.now, keepMs: body.keepDays * dayMs });
      return { status: 200, body: { items: keys.map(showKey), nextCursor: null } };
    },
  });
}

function activate(context: AuthContext): Route {
  return defineRoute({
    ...common('activateDkimKey', 'Sign with this key; another of the domain with its algorithm is retired'),
    method: 'post',
    path: `${keyPath}/activate`,
    params: keyParams,
    body: z.strictObject({ keepDays }),
    replies: { 200: { description: 'The key. Signers know it within a minute.', schema: keySchema }, 404: 'problem' },
    async handle({ params, body }) {
      const domain = await ownDomain(context, params.name);
      const key = await activateKey(context, { domain, selector: params.selector }, body.keepDays * dayMs);
      return { status: 200, body: showKey(key) };
    },
  });
}

function retire(context: AuthContext): Route {
  return defineRoute({
    ...common('retireDkimKey', 'Sign no longer with this key; it is removed after a while'),
    method: 'post',
    path: `${keyPath}/retire`,
    params: keyParams,
    body: z.strictObject({ keepDays }),
    replies: { 200: { description: 'The key. Signers know it within a minute.', schema: keySchema }, 404: 'problem' },
    async handle({ params, body }) {
      const domain = await ownDomain(context, params.name);
      const key = await retireKey(context, { domain, selector: params.selector }, body.keepDays * dayMs);
      return { status: 200, body: showKey(key) };
    },
  });
}

function check(context: AuthContext): Route {
  return defineRoute({
    ...common('checkDkimKey', 'Whether the DNS has the record of a key'),
    method: 'get',
    path: `${keyPath}/check`,
    scope: 'directory:read',
    params: keyParams,
    replies: { 200: { description: 'What is there.', schema: checkSchema }, 404: 'problem' },
    async handle({ params, signal }) {
      const key = await keyOf(context, await ownDomain(context, params.name), params.selector);
      const checked = await checkRecord(context.dns, key, signal);
      return { status: 200, body: { selector: key.selector, ...checked } };
    },
  });
}

function remove(context: AuthContext): Route {
  return defineRoute({
    ...common('deleteDkimKey', 'Remove a key that does not sign'),
    method: 'delete',
    path: keyPath,
    params: keyParams,
    replies: { 204: { description: 'It is gone.' }, 404: 'problem', 409: 'problem' },
    async handle({ params }) {
      await removeKey(context, { domain: await ownDomain(context, params.name), selector: params.selector });
      return { status: 204 };
    },
  });
}

function common(operationId: string, summary: string) {
  return { operationId, summary, tags: ['directory'], access: 'admin', scope: 'directory:write' } as const;
}

const dayMs = 24 * 3_600_000;
const keysPath = '/api/v1/domains/:name/dkim';
const keyPath = `${keysPath}/:selector`;
const domainParams = z.object({ name: z.string().max(255) });
const keyParams = z.object({ name: z.string().max(255), selector: z.string().max(63) });
const keepDays = z
  .number()
  .int()
  .min(0)
  .max(365)
  .default(7)
  .meta({ description: 'how long what is retired by this stays, with its DNS record, for mail that is under way' });

const keySchema = z
  .object({
    domain: z.string(),
    selector: z.string(),
    algorithm: z.enum(dkimAlgorithms),
    state: z.enum(['new', 'active', 'retired']),
    waitsForRecord: z.boolean().meta({ description: 'becomes active by itself once the DNS has its record' }),
    createdAt: z.iso.datetime(),
    activatedAt: z.iso.datetime().nullable(),
    retiredAt: z.iso.datetime().nullable(),
    removeAt: z.iso.datetime().nullable(),
    record: z.object({
      name: z.string(),
      type: z.literal('TXT'),
      value: z.string(),
      strings: z.array(z.string()).meta({ description: 'the value as strings of at most 255 octets' }),
      zoneLine: z.string().meta({ description: 'a line of a zone file (BIND)' }),
    }),
  })
  .meta({ id: 'DkimKey' });

const keyList = listOf(keySchema, 'DkimKeyList');

const checkSchema = z
  .object({
    selector: z.string(),
    result: z.enum(['matches', 'different', 'several', 'missing', 'unknown']),
    detail: z.string().nullable(),
    found: z.array(z.string()),
  })
  .meta({ id: 'DkimCheck' });

function showKey(key: DkimKey): z.output<typeof keySchema> {
  const { domain, selector, algorithm, state } = key;
  const { strings, ...record } = dkimRecord(key);
  return {
    domain,
    selector,
    algorithm,
    state,
    waitsForRecord: key.awaits !== null,
    createdAt: timeOf(key.createdAt),
    activatedAt: key.activatedAt === null ? null : timeOf(key.activatedAt),
    retiredAt: key.retiredAt === null ? null : timeOf(key.retiredAt),
    removeAt: key.removeAt === null ? null : timeOf(key.removeAt),
    record: { ...record, strings: [...strings] },
  };
}

const timeOf = (ms: number): string => new Date(ms).toISOString();
