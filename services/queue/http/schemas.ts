import { z } from 'zod';
import { type DeliveryState, deliveryStates } from '../../../libs/delivery/state.ts';
import type { DeliveryRow } from '../../../libs/delivery/row.ts';
import { filterFields } from './filter.ts';
import type { ShownRoute, TraceEntry } from './trace.ts';

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
  ...filterFields,
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
    updatedAt: time,
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

const route = z
  .object({
    group: z.string().nullable().meta({ description: 'whose limits count; null before the first routing' }),
    via: z.string().nullable().meta({ description: 'where an operator has sent it, in place of what its domain says' }),
    hosts: z
      .array(
        z.object({
          host: z.string(),
          port: z.int(),
          addresses: z.array(z.string()),
          group: z.string(),
          tls: z.string(),
        }),
      )
      .nullable()
      .meta({ description: 'where it would go now, in this order; null when it is final, or nothing is known' }),
    problem: z.string().nullable().meta({ description: 'why there is no way now' }),
  })
  .meta({ id: 'DeliveryRoute' });

export const tracedDeliverySchema = deliverySchema
  .extend({
    sizeBytes: z.int(),
    acceptedAt: time,
    wanted: z
      .string()
      .nullable()
      .meta({ description: 'what was asked for and happens when the attempt under way ends' }),
    route: route.nullable().meta({ description: 'of mail for outside' }),
    trace: z.array(traceEntry),
  })
  .meta({ id: 'TracedDelivery' });

export const deliveryListSchema = z.object({ items: z.array(deliverySchema), nextCursor: z.string().nullable() });

export const countsSchema = z
  .object({
    asOf: time,
    byState: z.record(state, z.int()),
    destinations: z.int(),
    oldestDueAt: time.nullable().meta({ description: 'of all that wait; past: it is due' }),
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
    updatedAt: iso(row.updatedAt),
  };
}

export function showTraced(
  row: DeliveryRow,
  { trace, route }: { trace: readonly TraceEntry[]; route: ShownRoute | null },
): z.output<typeof tracedDeliverySchema> {
  return {
    ...showDelivery(row),
    sizeBytes: row.sizeBytes,
    acceptedAt: iso(row.acceptedAt),
    wanted: row.wanted ?? null,
    route,
    trace: trace.map((entry) => ({
      at: iso(entry.at),
      event: entry.event,
      host: entry.host ?? null,
      address: entry.address ?? null,
      tls: entry.tls ?? null,
      reply: entry.reply ?? null,
    })),
  };
}

export function showCounts(counts: {
  asOf: number;
  byState: Readonly<Record<DeliveryState, number>>;
  destinations: number;
  oldestDueAt?: number;
}): z.output<typeof countsSchema> {
  const { asOf, byState, destinations, oldestDueAt } = counts;
  return { asOf: iso(asOf), byState, destinations, oldestDueAt: oldestDueAt === undefined ? null : iso(oldestDueAt) };
}

const iso = (ms: number): string => new Date(ms).toISOString();
