import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { serverBinary } from '../../tools/servers/binaries.ts';
import { freePorts } from '../../tools/servers/server-process.ts';

/**
 * The URL of a mongod that isn't in a replica set, gone after the test; undefined, and the test skipped, where no mongod can run. `args` is what it is started
 * with besides.
 */
export async function startStandalone(t: TestContext, args: readonly string[] = []): Promise<string | undefined> {
  const binary = await serverBinary('mongod').catch((error: unknown) => {
    t.skip(`no mongod: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  });
  if (binary === undefined) return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'waypost-standalone-'));
  const [port = 0] = await freePorts(1);
  const place = ['--dbpath', folder, '--port', String(port), '--bind_ip', '127.0.0.1', '--nounixsocket', '--quiet'];
  const server = spawn(binary, [...place, ...args, '--wiredTigerCacheSizeGB', '0.25'], { stdio: 'ignore' });
  t.after(async () => {
    server.kill('SIGKILL');
    await once(server, 'exit');
    await rm(folder, { recursive: true, force: true });
  });
  return `mongodb://127.0.0.1:${port}/`;
}
