import { z } from 'zod';
import { limitRanges } from '../../../libs/delivery/limits/limits.ts';
import type { Limits } from '../../../libs/delivery/limits/limits.ts';
import type { DestinationCounts } from '../../../libs/store/ports/deliveries.ts';
import type { DestinationStanding } from '../../../libs/store/ports/groups.ts';

const limit = (name: keyof Limits) => z.int().min(limitRanges[name].min).max(limitRanges[name].max);

const limitsSchema = z
  .object({
    connections: limit('connections'),
    perConnection: limit('perConnection'),
    perSecond: limit('perSecond').meta({ description: 'messages for a second; 0: no limit' }),
  })
  .meta({ id: 'DestinationLimits' });

/** null: back to what is configured. */
export const limitsBody = z.object({
  limits: z.strictObject({
    connections: limit('connections').nullish(),
    perConnection: limit('perConnection').nullish(),
    perSecond: limit('perSecond').nullish(),
  }),
});

export const destinationParams = z.object({
  name: z
    .string()
    .min(1)
    .max(300)
    .meta({ description: 'a domain as A-label, `local:<0…63>`, or the name of a group such as `10.0.0.1:2525`' }),
});

export const destinationsQuery = z.object({
  prefix: z.string().max(255).optional().meta({ description: 'names that begin so' }),
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().max(2048).optional(),
});

export const destinationCursor = z.object({ name: z.string().max(300) });

export const destinationSchema = z
  .object({
    name: z.string(),
    group: z.string().nullable().meta({
      description: 'whose limits count: all destinations behind the same mail hosts; null before the first routing',
    }),
    ready: z.int(),
    deferred: z.int(),
    leased: z.int(),
    held: z.int(),
    paused: z.boolean().meta({ description: 'by an operator, the destination or its group' }),
    restingUntil: z.iso
      .datetime()
      .nullable()
      .meta({ description: 'the group could not be reached and is left alone until then' }),
    connections: z.int().meta({ description: 'open to the group now, in the whole cluster' }),
    limits: limitsSchema,
  })
  .meta({ id: 'QueueDestination' });

export const destinationListSchema = z.object({
  items: z.array(destinationSchema),
  nextCursor: z.string().nullable(),
});

export function showDestination(
  name: string,
  standing: DestinationStanding | undefined,
  counts: DestinationCounts | undefined,
  { limits, now }: { limits: Limits; now: number },
): z.output<typeof destinationSchema> {
  const group = standing?.group ?? null;
  const resting = group?.resting ?? null;
  return {
    name,
    group: group?.group ?? null,
    ...(counts ?? { ready: 0, deferred: 0, leased: 0, held: 0 }),
    paused: (standing?.paused ?? group?.paused ?? null) !== null,
    restingUntil: resting !== null && resting.until > now ? new Date(resting.until).toISOString() : null,
    connections: group?.inUse ?? 0,
    limits,
  };
}
