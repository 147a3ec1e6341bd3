import { createWriteStream, existsSync, mkdirSync, renameSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';

/** `<name>.log` in the folder; the one of the start before is kept as `<name>.log.1`. */
export function openLog(folder: string, name: string): { path: string; stream: WriteStream } {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${name}.log`);
  if (existsSync(path)) renameSync(path, `${path}.1`);
  return { path, stream: createWriteStream(path, { flags: 'a', mode: 0o600 }) };
}

/** What people at the terminal are to see of a service's log: errors, and what isn't a line of the log at all. */
export function isWorthShowing(line: string): boolean {
  if (line.trim() === '') return false;
  try {
    const entry: unknown = JSON.parse(line);
    const level = typeof entry === 'object' && entry !== null && 'level' in entry ? entry.level : undefined;
    return typeof level === 'number' ? level >= errorLevel : level === 'error' || level === 'fatal';
  } catch {
    return true;
  }
}

/** Of pino. */
const errorLevel = 50;
