import type { z } from 'zod';
import { problem } from './problem.ts';

/** The place where a list goes on, as text that clients don't look into: base64url of JSON. */
export function encodeCursor(value: unknown): string {
  return Buffer.from(JSON.stringify(value), 'utf8').toString('base64url');
}

/** The value again, checked against `schema`; a cursor that was made up is the problem `invalidCursor` (400). */
export function decodeCursor<T>(schema: z.ZodType<T>, text: string): T {
  const parsed = schema.safeParse(readJson(text));
  if (!parsed.success) throw problem('invalidCursor');
  return parsed.data;
}

/** Far above every cursor of ours, far below what would cost time to parse. */
const maxCursorLength = 2048;

function readJson(text: string): unknown {
  if (text.length > maxCursorLength || !/^[A-Za-z0-9_-]+$/.test(text)) throw problem('invalidCursor');
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
  } catch {
    throw problem('invalidCursor');
  }
}
