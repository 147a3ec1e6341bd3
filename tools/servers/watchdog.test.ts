import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePorts, serverProcess } from './server-process.ts';
import { until } from './until.ts';
import { startWatchdog } from './watchdog.ts';

test('a server and its folder are gone when the process that started it is killed', async () => {
  const module = fileURLToPath(new URL('./orphan-for-test.ts', import.meta.url));
  const child = spawn(process.execPath, [module], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = await once(child.stdout, 'data');
  const { folder, port }: { folder: string; port: number } = JSON.parse(String(line));
  await until('it listens', 10_000, () => accepts(port));
  child.kill('SIGKILL');
  await until('it is gone', 10_000, async () => ((await accepts(port)) === true ? undefined : true));
  await until('its folder is gone', 10_000, async () => (existsSync(folder) ? undefined : true));
});

test('finish ends what runs and leaves a process alone that had ended before', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-watchdog-'));
  const watchdog = startWatchdog(folder);
  const [first = 0, second = 0] = await freePorts(2);
  const servers = [first, second].map((port) => {
    const listen = `require('node:net').createServer().listen(${port}, '127.0.0.1')`;
    return serverProcess(process.execPath, ['-e', listen], join(folder, 'log'), watchdog);
  });
  for (const server of servers) server.start();
  await until('both listen', 10_000, async () => ((await accepts(first)) === true ? accepts(second) : undefined));
  await servers[0]!.kill();
  assert.equal(await accepts(first), undefined);
  await watchdog.finish();
  assert.equal(await accepts(second), undefined);
  assert.equal(existsSync(folder), false);
});

async function accepts(port: number): Promise<true | undefined> {
  const socket = connect({ host: '127.0.0.1', port });
  return new Promise<true | undefined>((resolve) => {
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(undefined));
    socket.once('close', () => resolve(undefined));
    socket.setTimeout(2000, () => socket.destroy());
  }).finally(() => socket.destroy());
}
