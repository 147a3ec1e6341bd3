import { z } from 'zod';
import type { DeliveryRow } from '../../../libs/delivery/row.ts';
import { tellCancelled } from '../../../libs/delivery/tell-cancelled.ts';
import { problem } from '../../../libs/http/problem.ts';
import { type Caller, defineRoute, type Route } from '../../../libs/http/route.ts';
import type { Bus } from '../../../libs/bus/port.ts';
import type { Logger } from '../../../libs/ops/logger.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import type { Deliveries } from '../../../libs/store/ports/deliveries.ts';
import type { Spool } from '../../../libs/store/ports/spool.ts';
import { accountOf } from './caller-account.ts';
import { MessagePath } from './schemas.ts';

export interface CancelDeps {
  spool: Pick<Spool, 'read' | 'fanOut'>;
  deliveries: Pick<Deliveries, 'ofMessage' | 'steer'>;
  bus: Bus;
  clock: Clock;
  log: Logger;
}

/** `POST …/messages/{id}/cancel`: a send that was put off doesn't happen. By its sender, before its first attempt. */
export function cancelRoute(deps: CancelDeps): Route {
  return defineRoute({
    method: 'post',
    path: '/api/v1/accounts/:account/messages/:id/cancel',
    operationId: 'cancelMessage',
    summary: 'Cancel a message that was to be sent later',
    description:
      'The id is that of the 202 to the send. All of its deliveries end, the copy in Sent with them; 409 once it has gone to anybody, or is about to.',
    tags: ['messages'],
    access: 'account',
    scope: 'mail:send',
    params: MessagePath,
    replies: { 200: { description: 'It is not sent.', schema: CancelledSchema }, 404: 'problem', 409: 'problem' },
    async handle({ params, caller }) {
      accountOf(caller, params);
      return { status: 200, body: { id: params.id, cancelled: await cancel(deps, caller, params.id) } };
    },
  });
}

const CancelledSchema = z.object({ id: z.string(), cancelled: z.int().meta({ description: 'deliveries' }) });

async function cancel(deps: CancelDeps, caller: Caller, messageId: string): Promise<number> {
  const { spool, deliveries, clock } = deps;
  const message = (await spool.read([messageId])).get(messageId);
  // Another's message is answered as one that isn't there.
  if (message?.source.accountId !== caller.accountId) throw problem('notFound', 'message not found');
  // Half of a message's rows must not be cancelled: its fan-out comes first.
  await spool.fanOut(messageId);
  const rows = await deliveries.ofMessage(messageId);
  const now = clock.nowMs();
  if (rows.length === 0 || !rows.every((row) => row.state === 'cancelled' || hasNotBegun(row, now)))
    throw problem('conflict', 'the message is on its way already');
  const open = rows.filter(({ state }) => state !== 'cancelled');
  let cancelled = 0;
  for (let from = 0; from < open.length; from += atOnce) {
    const answers = await Promise.all(open.slice(from, from + atOnce).map((row) => cancelOne(deps, caller, row, now)));
    cancelled += answers.filter(Boolean).length;
  }
  deps.log.info({ audit: true, messageId, actor: caller.address, cancelled }, 'a message was cancelled by its sender');
  // Who cancels at the very second that it goes must know that some of it has gone.
  if (cancelled < open.length) throw problem('conflict', `${open.length - cancelled} of its deliveries had begun`);
  return cancelled;
}

const atOnce = 50;

/** Never attempted and not about to be: nobody has it in hand when its rows are ended one by one. */
function hasNotBegun({ state, attempts, dueAt }: DeliveryRow, now: number): boolean {
  return attempts === 0 && (state === 'held' || (state === 'queued' && dueAt > now + marginMs));
}

const marginMs = 500;

async function cancelOne({ deliveries, bus }: CancelDeps, caller: Caller, row: DeliveryRow, now: number) {
  const answer = await deliveries.steer({ id: row.id, action: 'cancel', now, actor: caller.address });
  if (answer === 'done') tellCancelled(bus, row, caller.address);
  return answer === 'done';
}
