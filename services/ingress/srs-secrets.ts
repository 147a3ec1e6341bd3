import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../libs/config/load.ts';

/**
 * The secrets of SRS, the first one signs: those of the configuration; embedded without any, a file in the data directory, made at the first start. Of a
 * cluster without any: none, for copies with secrets of their own would refuse each other's bounces.
 */
export async function srsSecrets(
  config: Pick<Config, 'srsSecret' | 'mongodbUrl' | 'dataDir'>,
): Promise<readonly string[]> {
  if (config.srsSecret !== undefined) return config.srsSecret.split(',');
  return config.mongodbUrl === undefined ? [await kept(config.dataDir)] : [];
}

/** One process has the data directory, so nobody else makes the file meanwhile. */
async function kept(folder: string): Promise<string> {
  const file = join(folder, 'srs-secret');
  const found = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  });
  if (found.trim() !== '') return found.trim();
  const secret = randomBytes(32).toString('base64url');
  await mkdir(folder, { recursive: true });
  const handle = await open(`${file}.new`, 'w', 0o600);
  try {
    await handle.writeFile(`${secret}\n`);
    // Addresses signed by it are out in the world for weeks: it must not be lost with the power.
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
  return secret;
}
