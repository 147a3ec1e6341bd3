import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';

/** What is in the file, without the last line's end; when there is none it is made with what `make` gives. Only its owner may read it. */
export function keptSecret(path: string, make: () => string): string {
  if (!existsSync(path)) writeSecret(path, make());
  return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
}

export function writeSecret(path: string, secret: string): void {
  writeFileSync(path, `${secret}\n`, { mode: 0o600 });
  // The mode above is for a new file only.
  chmodSync(path, 0o600);
}
