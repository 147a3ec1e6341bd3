import { z } from 'zod';
import { newId } from '../../../libs/runtime/ids.ts';
import { problem } from '../../../libs/http/problem.ts';
import { defineRoute, type Route } from '../../../libs/http/route.ts';
import type { SteerAction } from '../../../libs/delivery/wish.ts';
import { endRests } from './end-rests.ts';
import type { QueueHttpDeps } from './routes.ts';
import { deliveryParams, deliverySchema, showDelivery, storedId } from './schemas.ts';
import { tellSteered } from './tell-steered.ts';
import { actionFields, detailsOf, steerOf, type Wanted } from './wanted.ts';

const simple = {
  hold: 'Keep a delivery back until it is released',
  release: 'Let a held delivery go on',
  retry: 'Try a waiting delivery now',
  cancel: 'End a delivery without delivering it, and without a report',
} as const;

/** POST …/{action}: 200 when it has happened, 202 when it happens as soon as the attempt under way ends. */
export function steerRoutes(deps: QueueHttpDeps): Route[] {
  const actions = ['hold', 'release', 'retry', 'cancel'] as const;
  const { bounce, reroute, recipient } = actionFields;
  return [
    ...actions.map((action) =>
      defineRoute({
        ...common(action, simple[action]),
        handle: ({ params, caller }) => steer(deps, params.id, caller.address, { action }),
      }),
    ),
    defineRoute({
      ...common('bounce', 'End a delivery as failed: its sender gets a report with this text'),
      body: z.strictObject(bounce),
      handle: ({ params, caller, body }) => steer(deps, params.id, caller.address, { action: 'bounce', ...body }),
    }),
    defineRoute({
      ...common('reroute', 'Send a delivery by another route or to another host'),
      description: 'It stays so for all of its attempts, until it is rerouted again.',
      body: z.strictObject(reroute),
      handle: ({ params, caller, body }) => steer(deps, params.id, caller.address, { action: 'reroute', ...body }),
    }),
    defineRoute({
      ...common('recipient', 'Deliver to another address'),
      description: 'An address of ours must lead to one mailbox.',
      body: z.strictObject(recipient),
      handle: ({ params, caller, body }) => steer(deps, params.id, caller.address, { action: 'recipient', ...body }),
    }),
  ];
}

const common = (action: SteerAction, summary: string) =>
  ({
    method: 'post',
    path: `/api/v1/queue/deliveries/:id/${action}`,
    operationId: `${action}Delivery`,
    summary,
    tags: ['queue'],
    access: 'admin',
    scope: 'queue:write',
    params: deliveryParams,
    replies: {
      200: { description: 'It has happened.', schema: deliverySchema },
      202: { description: 'An attempt is under way; it applies when that ends.', schema: deliverySchema },
      400: 'problem',
      404: 'problem',
      409: 'problem',
    },
  }) as const;

async function steer(deps: QueueHttpDeps, shownId: string, actor: string, wanted: Wanted) {
  const { deliveries, spool, clock } = deps;
  const id = storedId(shownId);
  const request = await steerOf(wanted, deps);
  // Half of a message's rows must not be held or cancelled: its fan-out comes first.
  await spool.fanOut(id.slice(0, id.indexOf('/')));
  const before = await deliveries.get(id);
  if (before === undefined) throw problem('notFound');
  const { action } = wanted;
  const now = clock.nowMs();
  const details = detailsOf(wanted);
  const record = { id: newId(), at: now, actor, action, deliveryId: id, ...(details !== undefined && { details }) };
  await deliveries.audit.begin(record);
  const answer = await deliveries.steer({ ...request, id, now, actor });
  const changed = answer === 'done' || answer === 'pending' ? 1 : 0;
  await deliveries.audit.count(record.id, { matched: 1, changed, endedAt: clock.nowMs() });
  const found = await deliveries.get(id);
  if (answer === 'absent' || found === undefined) throw problem('notFound');
  if (answer === 'refused') throw problem('conflict', refusal(found.row, action));
  if (answer === 'done' && action === 'retry') await endRests(deps, [found.row]);
  if (answer === 'done') tellSteered(deps, action, [found.row], actor);
  return { status: answer === 'pending' ? 202 : 200, body: showDelivery(found.row) };
}

function refusal({ state, kind }: { state: string; kind: string }, action: SteerAction): string {
  if (action === 'reroute' && kind !== 'remote') return 'a delivery to a mailbox here has no route';
  if (action === 'recipient' && kind === 'sent') return 'the sender’s own copy has no other recipient';
  return `a delivery that is ${state} can’t take ${action}`;
}
