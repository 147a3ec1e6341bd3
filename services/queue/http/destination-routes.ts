import type { Bus } from '../../../libs/bus/port.ts';
import { type LimitRule, limitsFor, withSet } from '../../../libs/delivery/limits/limits.ts';
import { partitionOf } from '../../../libs/delivery/partition.ts';
import { partitionCount } from '../../../libs/delivery/row.ts';
import { decodeCursor, encodeCursor } from '../../../libs/http/cursor.ts';
import { problem } from '../../../libs/http/problem.ts';
import { defineRoute, type Route } from '../../../libs/http/route.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import type { Deliveries } from '../../../libs/store/ports/deliveries.ts';
import type { DestinationStanding, Groups, GroupStanding } from '../../../libs/store/ports/groups.ts';
import {
  destinationCursor,
  destinationListSchema,
  destinationParams,
  destinationSchema,
  destinationsQuery,
  limitsBody,
  showDestination,
} from './destination-schemas.ts';

export interface DestinationHttpDeps {
  deliveries: Deliveries;
  groups: Groups;
  limitRules: readonly LimitRule[];
  bus: Bus;
  clock: Clock;
}

const path = '/api/v1/queue/destinations';
const admin = { tags: ['queue'], access: 'admin' } as const;

/** Destinations of the queue: how much waits for each, and what an operator has set. */
export function destinationRoutes(deps: DestinationHttpDeps): Route[] {
  return [listDestinations(deps), getDestination(deps), steer('pause', deps), steer('resume', deps), setLimits(deps)];
}

function listDestinations({ deliveries, groups, limitRules, clock }: DestinationHttpDeps): Route {
  return defineRoute({
    method: 'get',
    path,
    operationId: 'listDestinations',
    summary: 'Destinations outside that had mail lately, by name',
    ...admin,
    scope: 'queue:read',
    query: destinationsQuery,
    replies: { 200: { description: 'A page of destinations.', schema: destinationListSchema }, 400: 'problem' },
    async handle({ query: { limit, prefix, cursor } }) {
      const standings = await groups.list({
        limit: limit + 1,
        ...(prefix !== undefined && { prefix }),
        ...(cursor !== undefined && { cursor: decodeCursor(destinationCursor, cursor).name }),
      });
      const page = standings.slice(0, limit);
      const counts = await deliveries.destinationCounts(page.map(({ destination }) => destination));
      const last = standings.length > limit ? page.at(-1) : undefined;
      const items = page.map((standing) =>
        showDestination(standing.destination, standing, counts.get(standing.destination), {
          limits: limitsOf(standing, limitRules),
          now: clock.nowMs(),
        }),
      );
      return {
        status: 200,
        body: { items, nextCursor: last === undefined ? null : encodeCursor({ name: last.destination }) },
      };
    },
  });
}

function getDestination(deps: DestinationHttpDeps): Route {
  return defineRoute({
    method: 'get',
    path: `${path}/:name`,
    operationId: 'getDestination',
    summary: 'One destination',
    ...admin,
    scope: 'queue:read',
    params: destinationParams,
    replies: { 200: { description: 'The destination.', schema: destinationSchema }, 404: 'problem' },
    async handle({ params: { name } }) {
      return { status: 200, body: await show(deps, name.toLowerCase()) };
    },
  });
}

function steer(verb: 'pause' | 'resume', deps: DestinationHttpDeps): Route {
  const { groups, clock } = deps;
  return defineRoute({
    method: 'post',
    path: `${path}/:name/${verb}`,
    operationId: `${verb}Destination`,
    summary: verb === 'pause' ? 'Send nothing there until it is resumed' : 'Let its mail go again, now',
    description:
      verb === 'pause'
        ? 'What is under way goes on. Rows stay as they are, and still expire.'
        : 'Ends the pause of a group after failures too.',
    ...admin,
    scope: 'queue:write',
    params: destinationParams,
    replies: { 200: { description: 'It is so.', schema: destinationSchema }, 404: 'problem' },
    async handle({ params, caller }) {
      const name = params.name.toLowerCase();
      const now = clock.nowMs();
      const known = await find(deps, name);
      // A destination may be paused before it has any mail.
      if (known.isGroup) {
        if (verb === 'pause') await groups.pause({ group: name }, { actor: caller.address, now });
        else await groups.resume({ group: name }, now);
      } else if (verb === 'pause') await groups.pause({ destination: name }, { actor: caller.address, now });
      else {
        await groups.resume({ destination: name }, now);
        const group = known.standing?.group;
        if (group?.resting !== null && group?.resting !== undefined) await groups.resume({ group: group.group }, now);
      }
      tell(deps, known.isGroup || verb === 'resume' ? undefined : name);
      return { status: 200, body: await show(deps, name) };
    },
  });
}

function setLimits(deps: DestinationHttpDeps): Route {
  const { groups, clock } = deps;
  return defineRoute({
    method: 'patch',
    path: `${path}/:name`,
    operationId: 'setDestinationLimits',
    summary: 'Set limits of the group that the destination belongs to',
    description: 'All destinations behind the same mail hosts share them. null takes one back to what is configured.',
    ...admin,
    scope: 'queue:write',
    params: destinationParams,
    body: limitsBody,
    replies: {
      200: { description: 'They hold from now on.', schema: destinationSchema },
      400: 'problem',
      404: 'problem',
      409: 'problem',
    },
    async handle({ params, body }) {
      const name = params.name.toLowerCase();
      const { isGroup, standing } = await find(deps, name);
      const group = isGroup ? name : standing?.group?.group;
      if (group === undefined)
        throw problem('conflict', 'the group of this destination is not known yet: it has had no mail lately');
      const given = Object.entries(body.limits).filter(([, value]) => value !== undefined);
      await groups.setLimits(group, Object.fromEntries(given), clock.nowMs());
      tell(deps, undefined);
      return { status: 200, body: await show(deps, name) };
    },
  });
}

interface Found {
  /** The name is of a group and of no destination. */
  isGroup: boolean;
  standing: DestinationStanding | undefined;
}

async function find({ groups }: DestinationHttpDeps, name: string): Promise<Found> {
  const standing = (await groups.standing([name])).get(name);
  if (standing !== undefined) return { isGroup: false, standing };
  const group = (await groups.groups([name])).get(name);
  return group === undefined ? { isGroup: false, standing } : { isGroup: true, standing: asDestination(name, group) };
}

const asDestination = (name: string, group: GroupStanding): DestinationStanding => ({
  destination: name,
  group,
  paused: null,
});

async function show(deps: DestinationHttpDeps, name: string) {
  const { deliveries, limitRules, clock } = deps;
  const [{ standing }, counts] = await Promise.all([find(deps, name), deliveries.destinationCounts([name])]);
  const count = counts.get(name);
  if (standing === undefined && count === undefined) throw problem('notFound');
  const limits = standing === undefined ? limitsFor(name, limitRules) : limitsOf(standing, limitRules);
  return showDestination(name, standing, count, { limits, now: clock.nowMs() });
}

function limitsOf({ destination, group }: DestinationStanding, rules: readonly LimitRule[]) {
  const configured = limitsFor(group?.group ?? destination, rules);
  return group === null ? configured : withSet(configured, group.limits);
}

/** The owners look again at once; undefined: at all destinations, since those of a group are anywhere. */
function tell({ bus }: DestinationHttpDeps, destination: string | undefined): void {
  const all = Array.from({ length: partitionCount }, (_, partition) => partition);
  bus.wake('queue.destinations', { partitions: destination === undefined ? all : [partitionOf(destination)] });
}
