import { z } from 'zod';
import { BusUnavailable, RequestFailed } from '../port.ts';
import { decodeJson } from './wire.ts';

/** How a request ended, as it crosses: one of the fields. */
export type Reply =
  | { reply: unknown }
  | { error: { code: string; message: string } }
  /** The answerer takes no more now. */
  | { unavailable: string };

export const requestIdHeader = 'Waypost-Request-Id';
/** The asker's limit, whole milliseconds from the sending. */
export const timeoutHeader = 'Waypost-Timeout-Ms';

/** @throws RequestFailed, BusUnavailable as the answerer has said; undefined when it is no reply of ours */
export function openReply(data: Uint8Array): { reply: unknown } | undefined {
  const parsed = replySchema.safeParse(decodeJson(data));
  if (!parsed.success) return undefined;
  if ('error' in parsed.data) throw new RequestFailed(parsed.data.error.code, parsed.data.error.message);
  if ('unavailable' in parsed.data) throw new BusUnavailable(parsed.data.unavailable);
  return { reply: parsed.data.reply };
}

const replySchema = z.union([
  z.object({ error: z.object({ code: z.string(), message: z.string() }) }),
  z.object({ unavailable: z.string() }),
  z.object({ reply: z.unknown() }).refine((value) => 'reply' in value),
]);
