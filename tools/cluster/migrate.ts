import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { compileCache } from '../setup/compile-cache.mjs';
import { projectRoot } from '../source-files.ts';
import type { ClusterBackends } from './backends.ts';
import type { ClusterPlan } from './plan.ts';
import { accessEnvironment } from './services.ts';
import { DidNotStart } from './supervised-process.ts';

const execute = promisify(execFile);
const limitMs = 120_000;

/** `waypost migrate` as its own user: collections, indexes and the stream. @throws DidNotStart */
export async function migrate({ folder }: ClusterPlan, backends: ClusterBackends): Promise<void> {
  const env = {
    ...process.env,
    NODE_COMPILE_CACHE: compileCache(projectRoot),
    ...accessEnvironment('migrate', backends),
    WAYPOST_DATA_DIR: join(folder, 'waypost'),
  };
  try {
    await execute(process.execPath, [join(projectRoot, 'services/cli/main.ts'), 'migrate'], { env, timeout: limitMs });
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error);
    throw new DidNotStart(`waypost migrate has failed: ${said}`, { cause: error });
  }
}
