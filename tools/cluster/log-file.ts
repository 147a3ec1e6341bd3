import { createWriteStream, existsSync, mkdirSync, renameSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** `<name>.log` in the folder; the one of the start before is kept as `<name>.log.1`. */
export function openLog(folder: string, name: string): { path: string; stream: WriteStream } {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.log`);
  if (existsSync(path)) renameSync(path, `${path}.1`);
  return { path, stream: createWriteStream(path, { flags: 'a', mode: 0o600 }) };
}

/** What people at the terminal are to see of a line of a service's log: what an error says in short, all of a line that is none of the log's; else undefined. */
export function shownOf(line: string): string | undefined {
  if (line.trim() === '') return undefined;
  const parsed = entry.safeParse(jsonOf(line));
  if (!parsed.success) return line;
  const { level, msg, err } = parsed.data;
  if (level !== 'error' && level !== 'fatal') return undefined;
  const text = err === undefined ? msg : `${msg}: ${err.message}`;
  return `${level}: ${text.length > mostShown ? `${text.slice(0, mostShown)}…` : text}`;
}

const entry = z.object({
  level: z.string(),
  msg: z.string().default(''),
  err: z.object({ message: z.string() }).optional(),
});
const mostShown = 300;

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
