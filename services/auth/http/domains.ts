import { z } from 'zod';
import { type Route, defineRoute } from '../../../libs/http/route.ts';
import { normaliseDomain } from '../../../libs/mail/address/domain.ts';
import type { Domain } from '../../../libs/store/ports/directory.ts';
import type { AuthContext } from '../context.ts';
import { addDomain, removeDomain } from '../domains.ts';
import { keyCursor, listOf, nextByKey, pageQuery } from './pages.ts';

export function domainRoutes(context: AuthContext): Route[] {
  return [listDomains(context), createDomain(context), deleteDomain(context)];
}

function listDomains(context: AuthContext): Route {
  return defineRoute({
    method: 'get',
    path: '/api/v1/domains',
    operationId: 'listDomains',
    summary: 'The domains of this system, by name',
    tags: ['directory'],
    access: 'admin',
    scope: 'directory:read',
    query: pageQuery,
    replies: { 200: { description: 'A page of domains.', schema: listOf(domainSchema, 'DomainList') }, 400: 'problem' },
    async handle({ query: { limit, cursor } }) {
      const found = await context.directoryAdmin.domains({ limit: limit + 1, ...keyCursor(cursor) });
      const items = found.slice(0, limit);
      return { status: 200, body: { items: items.map(showDomain), nextCursor: nextByKey(found, limit) } };
    },
  });
}

function createDomain(context: AuthContext): Route {
  return defineRoute({
    method: 'post',
    path: '/api/v1/domains',
    operationId: 'createDomain',
    summary: 'Add a domain',
    tags: ['directory'],
    access: 'admin',
    scope: 'directory:write',
    body: z.strictObject({ name: domainName }),
    replies: { 201: { description: 'The domain.', schema: domainSchema }, 400: 'problem', 409: 'problem' },
    async handle({ body }) {
      const domain = await addDomain(context, body.name);
      const location = `/api/v1/domains/${encodeURIComponent(domain.key)}`;
      return { status: 201, body: showDomain(domain), headers: { location } };
    },
  });
}

function deleteDomain(context: AuthContext): Route {
  return defineRoute({
    method: 'delete',
    path: '/api/v1/domains/:name',
    operationId: 'deleteDomain',
    summary: 'Remove a domain that has no accounts or aliases',
    tags: ['directory'],
    access: 'admin',
    scope: 'directory:write',
    params: z.object({ name: z.string().max(255) }),
    replies: { 204: { description: 'It is gone.' }, 404: 'problem', 409: 'problem' },
    async handle({ params }) {
      await removeDomain(context, params.name);
      return { status: 204 };
    },
  });
}

const domainName = z
  .string()
  .max(255)
  .refine((name) => normaliseDomain(name) !== undefined, 'a domain name such as example.org')
  .meta({ description: 'a host name; other than ASCII is kept as A-labels (UTS 46)' });

const domainSchema = z
  .object({ name: z.string(), asciiName: z.string(), createdAt: z.iso.datetime() })
  .meta({ id: 'Domain' });

function showDomain({ key, name, createdAt }: Domain): z.output<typeof domainSchema> {
  return { name, asciiName: key, createdAt: new Date(createdAt).toISOString() };
}
