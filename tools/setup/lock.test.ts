import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { withLock } from './lock.mjs';

const quiet = (): void => undefined;

test('of five that want the lock one works at a time', async (t) => {
  const path = lockPath(t);
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++inside);
    await new Promise((resolve) => setImmediate(resolve));
    inside--;
  };
  await Promise.all(Array.from({ length: 5 }, () => withLock(path, quiet, work)));
  assert.equal(most, 1);
  assert.equal(existsSync(path), false);
});

test('the lock of a process that died is taken over', async (t) => {
  const path = lockPath(t);
  const dead = spawn(process.execPath, ['-e', '']);
  await once(dead, 'exit');
  writeFileSync(path, `${hostname()} ${dead.pid} 1`);
  const past = new Date(Date.now() - 5000);
  utimesSync(path, past, past);
  assert.equal(await withLock(path, quiet, () => Promise.resolve('done')), 'done');
});

test('the lock of a live process is waited for, and that is said once', async (t) => {
  const path = lockPath(t);
  const said: string[] = [];
  let release = quiet;
  const first = withLock(path, quiet, () => new Promise<void>((resolve) => (release = resolve)));
  const second = withLock(
    path,
    (line) => {
      said.push(line);
      release();
    },
    () => Promise.resolve('after'),
  );
  assert.equal(await second, 'after');
  await first;
  assert.equal(said.length, 1);
});

test('work that fails gives the lock back', async (t) => {
  const path = lockPath(t);
  await assert.rejects(
    withLock(path, quiet, () => Promise.reject(new Error('no'))),
    /no/,
  );
  assert.equal(existsSync(path), false);
});

function lockPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-lock-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'a.lock');
}
