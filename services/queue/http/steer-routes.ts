import { tellCancelled } from '../../../libs/delivery/tell-cancelled.ts';
import { problem } from '../../../libs/http/problem.ts';
import { defineRoute, type Route } from '../../../libs/http/route.ts';
import type { SteerAction } from '../../../libs/store/ports/deliveries.ts';
import type { QueueHttpDeps } from './routes.ts';
import { deliveryParams, deliverySchema, showDelivery, storedId } from './schemas.ts';

const summaries: Record<SteerAction, string> = {
  hold: 'Keep a delivery back until it is released',
  release: 'Let a held delivery go on',
  retry: 'Try a waiting delivery now',
  cancel: 'End a delivery without delivering it',
};

/** POST …/{hold|release|retry|cancel}: 200 when it has happened, 202 when it happens as soon as the attempt under way ends. */
export function steerRoutes(deps: QueueHttpDeps): Route[] {
  const actions: readonly SteerAction[] = ['hold', 'release', 'retry', 'cancel'];
  return actions.map((action) => steerRoute(action, deps));
}

function steerRoute(action: SteerAction, deps: QueueHttpDeps): Route {
  const { deliveries, spool, clock } = deps;
  return defineRoute({
    method: 'post',
    path: `/api/v1/queue/deliveries/:id/${action}`,
    operationId: `${action}Delivery`,
    summary: summaries[action],
    tags: ['queue'],
    access: 'admin',
    scope: 'queue:write',
    params: deliveryParams,
    replies: {
      200: { description: 'It has happened.', schema: deliverySchema },
      202: { description: 'An attempt is under way; it applies when that ends.', schema: deliverySchema },
      404: 'problem',
      409: 'problem',
    },
    async handle({ params, caller }) {
      const id = storedId(params.id);
      // Half of a message's rows must not be held or cancelled: its fan-out comes first.
      await spool.fanOut(id.slice(0, id.indexOf('/')));
      const answer = await deliveries.steer({ id, action, now: clock.nowMs(), actor: caller.address });
      const found = await deliveries.get(id);
      if (answer === 'absent' || found === undefined) throw problem('notFound');
      if (answer === 'refused') throw problem('conflict', `a delivery that is ${found.row.state} can’t take ${action}`);
      if (answer === 'done') tell(deps, action, found.row, caller.address);
      return { status: answer === 'pending' ? 202 : 200, body: showDelivery(found.row) };
    },
  });
}

function tell(
  { bus }: QueueHttpDeps,
  action: SteerAction,
  row: { id: string; messageId: string; recipient: string; destination: string; partition: number },
  actor: string,
): void {
  if (action === 'cancel') tellCancelled(bus, row, actor);
  else if (action !== 'hold') bus.wake('queue.rows', { partitions: [row.partition] });
}
