import { z } from 'zod';
import { decodeCursor, encodeCursor } from '../../../libs/http/cursor.ts';
import { problem } from '../../../libs/http/problem.ts';
import { defineRoute, type Route } from '../../../libs/http/route.ts';
import { newId } from '../../../libs/runtime/ids.ts';
import type { DeliveryFilter } from '../../../libs/store/ports/deliveries.ts';
import { endRests } from './end-rests.ts';
import type { QueueHttpDeps } from './routes.ts';
import { deliveryFilter, filterFields } from './filter.ts';
import { tellSteered } from './tell-steered.ts';
import { actionFields, detailsOf, steerOf, type Wanted } from './wanted.ts';

const filter = z
  .strictObject(filterFields)
  .refine((given) => Object.values(given).some((value) => value !== undefined), 'at least one condition');

const common = {
  filter: filter.meta({ description: 'as in the list; at least one condition' }),
  dryRun: z.boolean().default(false).meta({ description: 'count what matches, change nothing' }),
  cursor: z.string().max(2048).optional().meta({ description: '`nextCursor` of the call before, to go on' }),
};

const of = <const A extends Wanted['action']>(action: A) =>
  z.strictObject({ action: z.literal(action), ...actionFields[action], ...common });

const body = z.discriminatedUnion('action', [
  of('hold'),
  of('release'),
  of('retry'),
  of('cancel'),
  of('bounce'),
  of('reroute'),
  of('recipient'),
]);

const result = z
  .object({
    matched: z.int().meta({ description: 'in this call' }),
    changed: z.int().meta({ description: 'of them: done, or noted where an attempt is under way' }),
    actionId: z.uuid().nullable().meta({ description: 'of the audit record; null for a dry run' }),
    nextCursor: z.string().nullable().meta({ description: 'more match: repeat the call with this as `cursor`' }),
  })
  .meta({ id: 'QueueActionResult' });

/**
 * POST /api/v1/queue/actions: one action on all deliveries that match. A call works for a few seconds, newest first, and answers where it has come to; the
 * caller repeats it from there, so nothing goes on unseen. Mail accepted after the first call is not part of it.
 */
export function actionRoute(deps: QueueHttpDeps): Route {
  return defineRoute({
    method: 'post',
    path: '/api/v1/queue/actions',
    operationId: 'actOnDeliveries',
    summary: 'One action on all deliveries that match a filter',
    description:
      'A call works for at most 5 s, newest first. While `nextCursor` is not null more may match: repeat the same body with it as `cursor`. All of the calls are one record of the audit.',
    tags: ['queue'],
    access: 'admin',
    scope: 'queue:write',
    body,
    replies: { 200: { description: 'As far as this call has come.', schema: result }, 400: 'problem', 409: 'problem' },
    async handle({ body: asked, caller, signal }) {
      const { filter: given, dryRun, cursor, ...wanted } = asked;
      const begun = await begin(deps, wanted, { given, dryRun, cursor, actor: caller.address });
      const work: Work = { ...begun, wanted, dryRun, actor: caller.address };
      return { status: 200, body: await run(deps, work, signal) };
    },
  });
}

const cursorSchema = z.object({ after: z.string().max(60), at: z.number(), record: z.uuid().nullable() });

interface Work {
  wanted: Wanted;
  filter: DeliveryFilter;
  dryRun: boolean;
  actor: string;
  /** Id of the audit record. */
  record: string | null;
  /** When the first call was made: ages in the filter are counted from then. */
  at: number;
  after: string | undefined;
}

type Begun = Pick<Work, 'filter' | 'record' | 'at' | 'after'>;

/** The audit record is there before the first row changes; a cursor goes on with its own. */
async function begin(
  { deliveries: { audit }, clock }: QueueHttpDeps,
  wanted: Wanted,
  {
    given,
    dryRun,
    cursor,
    actor,
  }: { given: z.output<typeof filter>; dryRun: boolean; cursor: string | undefined; actor: string },
): Promise<Begun> {
  const details = detailsOf(wanted);
  const shown = Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  if (cursor !== undefined) {
    const { after, at, record } = decodeCursor(cursorSchema, cursor);
    const known = record === null ? undefined : await audit.get(record);
    const same =
      known?.actor === actor &&
      known.action === wanted.action &&
      known.details === details &&
      // Both have the order of the schema.
      JSON.stringify(known.filter) === JSON.stringify(shown);
    if (record === null ? !dryRun : dryRun || !same) throw problem('invalidCursor', 'it is of another action');
    return { filter: deliveryFilter(given, at), record, at, after };
  }
  const at = clock.nowMs();
  const begun = { filter: deliveryFilter(given, at), at, after: undefined };
  if (dryRun) return { ...begun, record: null };
  const record = newId();
  await audit.begin({
    id: record,
    at,
    actor,
    action: wanted.action,
    filter: shown,
    ...(details !== undefined && { details }),
  });
  return { ...begun, record };
}

async function run(deps: QueueHttpDeps, work: Work, signal: AbortSignal): Promise<z.output<typeof result>> {
  const { deliveries, clock } = deps;
  const { filter: wantedRows, record, at } = work;
  const steer = await steerOf(work.wanted, deps);
  const untilMs = clock.monotonicMs() + workMs;
  const done = { matched: 0, changed: 0 };
  let after = work.after;
  let more = true;
  try {
    while (more && clock.monotonicMs() < untilMs && !signal.aborted) {
      const page = { limit: pageRows, ...(after !== undefined && { cursor: after }) };
      const rows = await deliveries.list(wantedRows, page);
      const ids = rows.map(({ id }) => id);
      if (record !== null && ids.length > 0) {
        const request = { ...steer, ids, now: clock.nowMs(), actor: work.actor, record };
        const steered = await deliveries.steerMany(request);
        const changed = steered.filter(({ answer }) => answer === 'done' || answer === 'pending');
        done.changed += changed.length;
        const now = changed.flatMap(({ answer, row }) => (answer === 'done' && row !== undefined ? [row] : []));
        if (steer.action === 'retry') await endRests(deps, now);
        tellSteered(deps, steer.action, now, work.actor);
      }
      done.matched += rows.length;
      after = ids.at(-1) ?? after;
      more = rows.length === pageRows;
    }
  } finally {
    if (record !== null) await deliveries.audit.count(record, { ...done, ...(!more && { endedAt: clock.nowMs() }) });
  }
  return {
    ...done,
    actionId: record,
    nextCursor: more && after !== undefined ? encodeCursor({ after, at, record }) : null,
  };
}

/** Rows of one transaction. */
const pageRows = 100;
const workMs = 5_000;
