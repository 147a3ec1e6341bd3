import { z } from 'zod';

/** Hints without a memory. Who misses one finds the work at its next sweep. */
export const wakeSchemas = {
  /** Rows of these partitions have become due (an accept, a release, a retry): their owners look. */
  'queue.rows': z.object({ partitions: z.array(z.int().min(0).max(255)).max(256) }),
  /** Pauses or limits of destinations in these partitions were changed: their owners look again. */
  'queue.destinations': z.object({ partitions: z.array(z.int().min(0).max(255)).max(256) }),
  /** This owner of partitions has come or gone, or has given some back: the others take their share. */
  'queue.owners': z.object({ owner: z.string() }),
  /** This owner has rows for workers of this kind. */
  'queue.ready': z.object({ owner: z.string(), kind: z.enum(['local', 'remote']) }),
  /** Rows of this owner's claim have ended, so that it may hand out more. */
  'queue.settled': z.object({ owner: z.string(), token: z.string() }),
} as const;

export type WakeName = keyof typeof wakeSchemas;
export type WakeOf<W extends WakeName> = z.infer<(typeof wakeSchemas)[W]>;
