import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { StoreFull } from '../../errors.ts';
import { Engine } from './engine.ts';
import { DataDirectoryInUse, lockDataDirectory } from './lock.ts';

describe('the SQLite engine', () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'waypost-engine-'));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('answers writes that came together from one commit', async () => {
    const sizes: number[] = [];
    const engine = await Engine.open({ file: join(directory, 'group.db'), onCommit: ({ size }) => sizes.push(size) });
    try {
      await Promise.all(Array.from({ length: 50 }, (_, at) => engine.write('health.probe', { at })));
      assert.deepEqual(sizes, [50]);
      assert.equal(await engine.read('health.meta', { name: 'probe' }), '49');
    } finally {
      await engine.close();
    }
  });

  it('refuses writes with StoreFull when there is no room, and keeps reading', async () => {
    const engine = await Engine.open({ file: join(directory, 'full.db'), maxPageCount: 300 });
    try {
      await assert.rejects(engine.write('health.fill', { name: 'filler', bytes: 4_000_000 }), StoreFull);
      assert.equal(await engine.read('health.meta', { name: 'filler' }), undefined);
      await engine.write('health.probe', { at: 1 });
    } finally {
      await engine.close();
    }
  });

  it('a data directory in use is refused, and free again when released', () => {
    const file = join(directory, 'lock');
    const lock = lockDataDirectory(file);
    assert.throws(() => lockDataDirectory(file), DataDirectoryInUse);
    lock.release();
    lockDataDirectory(file).release();
  });
});
