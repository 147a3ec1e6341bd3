import { z } from 'zod';
import { decodeCursor, encodeCursor } from '../../../libs/http/cursor.ts';

export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(100),
  cursor: z.string().max(2048).optional(),
});

export function listOf<T extends z.ZodType>(item: T, id: string) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() }).meta({ id });
}

/** The `cursor` of a port's page, out of the one of the API. */
export function keyCursor(cursor: string | undefined): { cursor?: string } {
  return cursor === undefined ? {} : { cursor: decodeCursor(afterSchema, cursor).after };
}

/** Of a page that was asked for with one more than `limit`: where the next begins. */
export function nextByKey(found: readonly { key: string }[], limit: number): string | null {
  const last = found.length > limit ? found[limit - 1] : undefined;
  return last === undefined ? null : encodeCursor({ after: last.key });
}

const afterSchema = z.strictObject({ after: z.string().max(330) });
