import type { z } from 'zod';
import { eventSchemas } from './events.ts';
import type { EventData, EventType } from './events.ts';
import { requestSchemas } from './requests.ts';
import type { ReplyOf, RequestName, RequestOf } from './requests.ts';
import { wakeSchemas } from './wakes.ts';
import type { WakeName, WakeOf } from './wakes.ts';

/** The value as its schema reads it (a copy, unknown fields left out), or what doesn't fit. */
export type Checked<T> = { ok: true; data: T } | { ok: false; problem: string };

export function checkEvent<T extends EventType>(type: T, data: unknown): Checked<EventData<T>> {
  return check(events[type], data);
}

export function checkRequest<N extends RequestName>(name: N, body: unknown): Checked<RequestOf<N>> {
  return check(requests[name].request, body);
}

export function checkReply<N extends RequestName>(name: N, reply: unknown): Checked<ReplyOf<N>> {
  return check(requests[name].reply, reply);
}

export function checkWake<W extends WakeName>(name: W, data: unknown): Checked<WakeOf<W>> {
  return check(wakes[name], data);
}

// The same tables, typed so that a name and its schema stay together inside the functions above.
const events: { [T in EventType]: z.ZodType<EventData<T>> } = eventSchemas;
const requests: { [N in RequestName]: { request: z.ZodType<RequestOf<N>>; reply: z.ZodType<ReplyOf<N>> } } =
  requestSchemas;
const wakes: { [W in WakeName]: z.ZodType<WakeOf<W>> } = wakeSchemas;

/** Names paths, never values: they may be secret. */
function check<T>(schema: z.ZodType<T>, value: unknown): Checked<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, data: parsed.data };
  const problem = parsed.error.issues
    .slice(0, 5)
    .map((issue) => `${issue.path.join('.')}: ${issue.code}`)
    .join(', ');
  return { ok: false, problem };
}
