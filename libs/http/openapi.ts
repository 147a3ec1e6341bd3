import { z } from 'zod';
import { createDocument } from 'zod-openapi';
import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject, ZodOpenApiResponseObject } from 'zod-openapi';
import { problemCatalogue } from './problem-catalogue.ts';
import type { ReplySpec, Route } from './route.ts';

/** OpenAPI 3.1 of all routes: from the very schemas that requests are checked with. */
export function openApiDocument(routes: readonly Route[]): unknown {
  const paths: ZodOpenApiPathsObject = {};
  for (const route of routes) {
    const path = route.path.replace(/:([A-Za-z]+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operation(route) };
  }
  return createDocument({
    openapi: '3.1.0',
    info: { title: 'Waypost', version: 'v1', description: introduction },
    servers: [{ url: '/' }],
    security: [{ basic: [] }, { bearer: [] }],
    paths,
    components: {
      securitySchemes: {
        basic: {
          type: 'http',
          scheme: 'basic',
          description: 'An address and its password, or an application password.',
        },
        bearer: { type: 'http', scheme: 'bearer', description: 'A token of /api/v1/tokens, limited to its scopes.' },
      },
    },
  });
}

const introduction = [
  'Lists take `limit` and an opaque `cursor` and answer `{ "items": [], "nextCursor": "…" | null }`. Times are RFC 3339 in UTC, sizes are bytes.',
  'Every error is a problem detail (RFC 9457) with a stable `code`:',
  ...Object.entries(problemCatalogue).map(
    ([code, { status, meaning, fix }]) => `- \`${code}\` (${status}): ${meaning} ${fix}`,
  ),
].join('\n');

const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    code: z.string().meta({ description: 'stable; the list is in the introduction' }),
  })
  .meta({ id: 'Problem', description: 'RFC 9457' });

function operation(route: Route): ZodOpenApiOperationObject {
  return {
    operationId: route.operationId,
    summary: route.summary,
    ...(route.description === undefined ? {} : { description: route.description }),
    tags: [...route.tags],
    ...(route.access === 'public' ? { security: [] } : {}),
    ...(route.scope === undefined ? {} : { 'x-required-scope': route.scope }),
    ...(route.access === 'admin' ? { 'x-administrators-only': true } : {}),
    requestParams: {
      ...(route.params instanceof z.ZodObject ? { path: route.params } : {}),
      ...(route.query instanceof z.ZodObject ? { query: route.query } : {}),
    },
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: route.body } } } }),
    responses: responses(route),
  };
}

function responses(route: Route): Record<string, ZodOpenApiResponseObject> {
  const all: Record<string, ZodOpenApiResponseObject> = {};
  for (const [status, spec] of Object.entries(route.replies)) all[status] = response(spec);
  if (route.access !== 'public') all['401'] ??= response('problem');
  all['default'] ??= response('problem');
  return all;
}

function response(spec: ReplySpec): ZodOpenApiResponseObject {
  if (spec === 'problem') {
    return { description: 'A problem', content: { 'application/problem+json': { schema: problemSchema } } };
  }
  const contentType = spec.contentType ?? (spec.schema === undefined ? undefined : 'application/json');
  if (contentType === undefined) return { description: spec.description };
  const media = spec.schema === undefined ? {} : { schema: spec.schema };
  return { description: spec.description, content: { [contentType]: media } };
}
