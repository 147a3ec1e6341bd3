import { z } from 'zod';
import { decodeCursor, encodeCursor } from '../../../libs/http/cursor.ts';
import { defineRoute, type Route } from '../../../libs/http/route.ts';
import type { Deliveries } from '../../../libs/store/ports/deliveries.ts';
import type { ActionRecord } from '../../../libs/store/ports/queue-audit.ts';

const query = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(2048).optional(),
});

const time = z.iso.datetime();

const recordSchema = z
  .object({
    id: z.uuid(),
    at: time,
    actor: z.string(),
    action: z.string(),
    details: z.string().nullable().meta({ description: 'what the action took: a route, a recipient, a text' }),
    deliveryId: z.string().nullable(),
    filter: z.record(z.string(), z.union([z.string(), z.number()])).nullable(),
    matched: z.int(),
    changed: z.int(),
    endedAt: time.nullable().meta({ description: 'null: not all that matches has been worked through' }),
  })
  .meta({ id: 'QueueActionRecord' });

const listSchema = z.object({ items: z.array(recordSchema), nextCursor: z.string().nullable() });
const cursorSchema = z.object({ id: z.string().max(60) });

/** GET /api/v1/queue/audit. */
export function auditRoute({ deliveries: { audit } }: { deliveries: Deliveries }): Route {
  return defineRoute({
    method: 'get',
    path: '/api/v1/queue/audit',
    operationId: 'listQueueActions',
    summary: 'What operators did with deliveries, newest first, for 90 days',
    tags: ['queue'],
    access: 'admin',
    scope: 'queue:read',
    query,
    replies: { 200: { description: 'A page of records.', schema: listSchema }, 400: 'problem' },
    async handle({ query: { limit, cursor } }) {
      const after = cursor === undefined ? {} : { cursor: decodeCursor(cursorSchema, cursor).id };
      const records = await audit.list({ limit: limit + 1, ...after });
      const items = records.slice(0, limit);
      const last = records.length > limit ? items.at(-1) : undefined;
      const nextCursor = last === undefined ? null : encodeCursor({ id: last.id });
      return { status: 200, body: { items: items.map(show), nextCursor } };
    },
  });
}

function show(record: ActionRecord): z.output<typeof recordSchema> {
  const { id, at, actor, action, details, deliveryId, filter, matched, changed, endedAt } = record;
  return {
    id,
    at: new Date(at).toISOString(),
    actor,
    action,
    details: details ?? null,
    deliveryId: deliveryId?.replace('/', '.') ?? null,
    filter: filter ?? null,
    matched,
    changed,
    endedAt: endedAt === undefined ? null : new Date(endedAt).toISOString(),
  };
}
