import { z } from 'zod';
import { durationMs } from '../../../libs/config/forms.ts';
import { type DeliveryState, deliveryStates } from '../../../libs/delivery/state.ts';
import type { DeliveryRow } from '../../../libs/delivery/row.ts';
import type { AttemptRow } from '../../../libs/store/ports/deliveries.ts';

const state = z.enum(deliveryStates);
const time = z.iso.datetime();

/** In the API the parts of a delivery's id are joined by a dot, so that it is one segment of a path; the slash of events and logs is understood too. */
export const deliveryParams = z.object({
  id: z
    .string()
    .regex(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}[./]\d{1,7}$/)
    .meta({ description: 'id of the delivery, `<messageId>.<n>`' }),
});

export const storedId = (id: string): string => id.replace('.', '/');

export const listQuery = z.object({
  state: state.optional(),
  destination: z.string().max(320).optional().meta({ description: 'exact: a domain, or `local:<0…63>`' }),
  sender: z.string().max(320).optional(),
  recipient: z.string().max(320).optional(),
  domain: z.string().max(255).optional().meta({ description: "the recipient's domain" }),
  error: z.string().max(200).optional().meta({ description: 'part of the last reply' }),
  olderThan: z
    .union([z.iso.datetime({ offset: true }), z.string().refine((text) => durationMs(text) !== undefined)])
    .optional()
    .meta({ description: 'accepted longer ago than this duration (`30m`, `4h`, `5d`), or before this time' }),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(2048).optional(),
});

export const cursorSchema = z.object({ id: z.string().max(60) });

export const deliverySchema = z
  .object({
    id: z.string(),
    messageId: z.uuid(),
    sender: z.string().meta({ description: "'' is the null reverse-path" }),
    recipient: z.string(),
    destination: z.string(),
    state,
    attempts: z.int(),
    dueAt: time,
    expiresAt: time,
    lastReply: z.string().nullable(),
  })
  .meta({ id: 'Delivery' });

const traceEntry = z.object({
  at: time,
  event: z.string(),
  host: z.string().nullable(),
  address: z.string().nullable(),
  tls: z.string().nullable(),
  reply: z.string().nullable(),
});

export const tracedDeliverySchema = deliverySchema
  .extend({ trace: z.array(traceEntry) })
  .meta({ id: 'TracedDelivery' });

export const deliveryListSchema = z.object({ items: z.array(deliverySchema), nextCursor: z.string().nullable() });

export const countsSchema = z
  .object({
    asOf: time,
    byState: z.record(state, z.int()),
    destinations: z.int(),
  })
  .meta({ id: 'QueueCounts' });

export function showDelivery(row: DeliveryRow): z.output<typeof deliverySchema> {
  const { messageId, sender, recipient, destination, attempts } = row;
  return {
    id: row.id.replace('/', '.'),
    messageId,
    sender,
    recipient,
    destination,
    state: row.state,
    attempts,
    dueAt: iso(row.dueAt),
    expiresAt: iso(row.expiresAt),
    lastReply: row.lastReply ?? null,
  };
}

export function showTraced(row: DeliveryRow, attempts: readonly AttemptRow[]): z.output<typeof tracedDeliverySchema> {
  const accepted = { at: iso(row.acceptedAt), event: 'accepted', host: null, address: null, tls: null, reply: null };
  const trace = attempts.map((attempt) => ({
    at: iso(attempt.at),
    event: attempt.event,
    host: attempt.host ?? null,
    address: attempt.address ?? null,
    tls: attempt.tls ?? null,
    reply: attempt.reply,
  }));
  return { ...showDelivery(row), trace: [accepted, ...trace] };
}

export function showCounts(counts: {
  asOf: number;
  byState: Readonly<Record<DeliveryState, number>>;
  destinations: number;
}): z.output<typeof countsSchema> {
  return { asOf: iso(counts.asOf), byState: counts.byState, destinations: counts.destinations };
}

const iso = (ms: number): string => new Date(ms).toISOString();
