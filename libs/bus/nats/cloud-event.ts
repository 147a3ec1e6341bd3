import { z } from 'zod';
import type { EventType } from '../events.ts';
import type { BusEvent } from '../port.ts';
import { checkEvent } from '../schema-check.ts';
import type { Checked } from '../schema-check.ts';
import { decodeJson } from './wire.ts';

/** CloudEvents 1.0 in structured JSON. */
export function encodeEvent(event: BusEvent): string {
  return JSON.stringify({ ...event, type: `${typePrefix}${event.type}` });
}

/** An event of `type` as it came, or what doesn't fit (paths, never values). */
export function decodeEvent<T extends EventType>(type: T, payload: Uint8Array): Checked<BusEvent<T>> {
  const frame = frameSchema.safeParse(decodeJson(payload));
  if (!frame.success) return { ok: false, problem: `not a CloudEvent: ${fieldsOf(frame.error)}` };
  if (frame.data.type !== `${typePrefix}${type}`) return { ok: false, problem: 'its type is not that of its subject' };
  const checked = checkEvent(type, frame.data.data);
  if (!checked.ok) return checked;
  const { traceparent, ...rest } = frame.data;
  return {
    ok: true,
    data: { ...rest, ...(traceparent === undefined ? {} : { traceparent }), type, data: checked.data },
  };
}

const typePrefix = 'waypost.';

const frameSchema = z.object({
  specversion: z.literal('1.0'),
  id: z.string().min(1),
  source: z.string().min(1),
  type: z.string(),
  time: z.iso.datetime({ offset: true }),
  datacontenttype: z.literal('application/json'),
  traceparent: z.string().optional(),
  data: z.unknown(),
});

function fieldsOf(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join('.')}: ${issue.code}`).join(', ');
}
