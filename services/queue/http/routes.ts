import type { Bus } from '../../../libs/bus/port.ts';
import { decodeCursor, encodeCursor } from '../../../libs/http/cursor.ts';
import { problem } from '../../../libs/http/problem.ts';
import { defineRoute, type Route } from '../../../libs/http/route.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import type { Deliveries } from '../../../libs/store/ports/deliveries.ts';
import type { Directory } from '../../../libs/store/ports/directory.ts';
import type { Spool } from '../../../libs/store/ports/spool.ts';
import { type DestinationHttpDeps, destinationRoutes } from './destination-routes.ts';
import { actionRoute } from './action-route.ts';
import { auditRoute } from './audit-route.ts';
import type { SteerDeps } from './wanted.ts';
import { deliveryFilter } from './filter.ts';
import {
  countsSchema,
  cursorSchema,
  deliveryListSchema,
  deliveryParams,
  listQuery,
  showCounts,
  showDelivery,
  showTraced,
  storedId,
  tracedDeliverySchema,
} from './schemas.ts';
import { steerRoutes } from './steer-routes.ts';
import { routeOf, type TraceDeps, traceOf } from './trace.ts';

export interface QueueHttpDeps extends DestinationHttpDeps, Pick<TraceDeps, 'findRoute'>, Pick<SteerDeps, 'config'> {
  deliveries: Deliveries;
  directory: Directory;
  spool: Spool;
  bus: Bus;
  clock: Clock;
}

/** The queue API, for administrators. */
export function queueRoutes(deps: QueueHttpDeps): Route[] {
  return [
    listDeliveries(deps),
    getDelivery(deps),
    countDeliveries(deps),
    ...steerRoutes(deps),
    actionRoute(deps),
    auditRoute(deps),
    ...destinationRoutes(deps),
  ];
}

function listDeliveries({ deliveries, clock }: QueueHttpDeps): Route {
  return defineRoute({
    method: 'get',
    path: '/api/v1/queue/deliveries',
    operationId: 'listDeliveries',
    summary: 'Deliveries, newest first',
    tags: ['queue'],
    access: 'admin',
    scope: 'queue:read',
    query: listQuery,
    replies: { 200: { description: 'A page of deliveries.', schema: deliveryListSchema }, 400: 'problem' },
    async handle({ query }) {
      const { limit, cursor, ...wanted } = query;
      const filter = deliveryFilter(wanted, clock.nowMs());
      const after = cursor === undefined ? {} : { cursor: decodeCursor(cursorSchema, cursor).id };
      // One more than asked for tells whether there is a next page.
      const rows = await deliveries.list(filter, { limit: limit + 1, ...after });
      const items = rows.slice(0, limit);
      const last = rows.length > limit ? items.at(-1) : undefined;
      const nextCursor = last === undefined ? null : encodeCursor({ id: last.id });
      return { status: 200, body: { items: items.map(showDelivery), nextCursor } };
    },
  });
}

function getDelivery(deps: QueueHttpDeps): Route {
  return defineRoute({
    method: 'get',
    path: '/api/v1/queue/deliveries/:id',
    operationId: 'getDelivery',
    summary:
      'One delivery with its whole trace: from where it came, where it would go, each attempt, what operators did',
    tags: ['queue'],
    access: 'admin',
    scope: 'queue:read',
    params: deliveryParams,
    replies: { 200: { description: 'The delivery.', schema: tracedDeliverySchema }, 404: 'problem' },
    async handle({ params, signal }) {
      const found = await findDelivery(deps, storedId(params.id));
      if (found === undefined) throw problem('notFound');
      const [trace, route] = await Promise.all([
        traceOf(deps, found.row, found.attempts),
        routeOf(deps, found.row, signal),
      ]);
      return { status: 200, body: showTraced(found.row, { trace, route }) };
    },
  });
}

/** A delivery whose message was accepted but not yet fanned out exists all the same. */
async function findDelivery({ deliveries, spool }: Pick<QueueHttpDeps, 'deliveries' | 'spool'>, id: string) {
  const found = await deliveries.get(id);
  if (found !== undefined) return found;
  const known = await spool.fanOut(id.slice(0, id.indexOf('/')));
  return known ? deliveries.get(id) : undefined;
}

function countDeliveries({ deliveries }: QueueHttpDeps): Route {
  return defineRoute({
    method: 'get',
    path: '/api/v1/queue/counts',
    operationId: 'countDeliveries',
    summary: 'How many deliveries are in each state',
    tags: ['queue'],
    access: 'admin',
    scope: 'queue:read',
    replies: { 200: { description: 'Exact as of `asOf`, at most 2 s old.', schema: countsSchema } },
    async handle() {
      return { status: 200, body: showCounts(await deliveries.counts()) };
    },
  });
}
