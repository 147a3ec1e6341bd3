import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';

/** Makes the file that members of a replica set know each other by, when it isn't there. mongod wants it readable by its owner alone. */
export function ensureKeyFile(path: string): string {
  if (!existsSync(path)) writeFileSync(path, `${randomBytes(384).toString('base64')}\n`, { mode: 0o600 });
  return path;
}
