import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { NotFound, OutcomeUnknown, StoreBusy, StoreUnavailable } from '../../errors.ts';
import { Engine, startWorker } from './engine.ts';
import { DataDirectoryInUse, lockDataDirectory } from './lock.ts';

describe('the SQLite engine', () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'waypost-engine-'));
  });
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('answers writes that came together from one commit', async () => {
    const groups: { size: number; seconds: number }[] = [];
    const engine = await Engine.open({ file: join(directory, 'group.db'), onCommit: (group) => groups.push(group) });
    try {
      await Promise.all(Array.from({ length: 50 }, (_, at) => engine.write('health.probe', { at })));
      assert.deepEqual(
        groups.map(({ size }) => size),
        [50],
      );
      assert.ok(groups[0]!.seconds > 0 && groups[0]!.seconds < 5);
      assert.equal(await engine.read('health.meta', { name: 'probe' }), '49');
    } finally {
      await engine.close();
    }
  });

  it('an operation that fails, before or after it has written, leaves the others of its commit', async () => {
    const groups: number[] = [];
    const engine = await Engine.open({ file: join(directory, 'fails.db'), onCommit: ({ size }) => groups.push(size) });
    const target = {
      n: 0,
      kind: 'inbox',
      recipient: 'a@x.test',
      destination: 'local:1',
      priority: 1,
      rank: 1,
      dueAt: 1,
      expiresAt: 2,
    } as const;
    const accept = (messageId: string, targets: number) => ({
      messageId,
      acceptedAt: 1,
      reversePath: '',
      details: '{}',
      trace: '',
      bytes: new Uint8Array(1),
      blobRef: null,
      sizeBytes: 1,
      sha256: '',
      targets: Array.from({ length: targets }, () => target),
      idempotency: undefined,
    });
    try {
      // Two targets of the same number: the second insert fails when the first has been written.
      const answers = await Promise.allSettled([
        engine.write('spool.accept', accept('whole', 1)),
        engine.write('spool.accept', accept('broken', 2)),
        engine.write('mailboxes.createMailbox', { accountId: 'nobody', name: 'x', parentId: null }),
        engine.write('spool.accept', accept('whole too', 1)),
      ]);
      assert.deepEqual(
        answers.map(({ status }) => status),
        ['fulfilled', 'rejected', 'rejected', 'fulfilled'],
      );
      assert.ok(answers[2]!.status === 'rejected' && answers[2]!.reason instanceof NotFound);
      assert.deepEqual(groups, [4]);
      const read = await engine.read('spool.read', { messageIds: ['whole', 'broken', 'whole too'] });
      assert.deepEqual([...read.keys()], ['whole', 'whole too']);
      assert.equal((await engine.read('deliveries.counts', undefined)).byState.queued, 2);
    } finally {
      await engine.close();
    }
  });

  it('a writer that dies leaves its writes unknown, refuses more, and goes on when a probe has committed', async () => {
    let writer: Worker | undefined;
    const health: boolean[] = [];
    const engine = await Engine.open({
      file: join(directory, 'dies.db'),
      onHealth: (healthy) => health.push(healthy),
      startWorker: (role, options) => {
        const worker = startWorker(role, options);
        if (role === 'writer') writer = worker;
        return worker;
      },
    });
    try {
      const lost = Promise.allSettled(Array.from({ length: 5 }, (_, at) => engine.write('health.probe', { at })));
      await writer!.terminate();
      for (const answer of await lost)
        assert.ok(answer.status === 'rejected' && answer.reason instanceof OutcomeUnknown);
      assert.equal(engine.healthy(), false);
      await assert.rejects(engine.write('health.probe', { at: 9 }), StoreUnavailable);
      assert.equal(await engine.probe(10_000), true);
      assert.deepEqual(health, [false, true]);
      await engine.write('health.probe', { at: 10 });
      assert.equal(await engine.read('health.meta', { name: 'probe' }), '10');
    } finally {
      await engine.close();
    }
  });

  it('a read that holds its thread is given up, those behind it are answered by another, and searches hold up nobody', async () => {
    let held = 1;
    const engine = await Engine.open({
      file: join(directory, 'held.db'),
      readDeadlineMs: 300,
      startWorker: (role, options) => {
        if (role === 'writer' || held === 0) return startWorker(role, options);
        held -= 1;
        return new Worker('Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)', { eval: true });
      },
    });
    try {
      await engine.write('health.probe', { at: 1 });
      const ended: string[] = [];
      const search = async (name: string): Promise<string | undefined> => {
        try {
          return await engine.read('health.meta', { name: 'probe' }, { search: true });
        } finally {
          ended.push(name);
        }
      };
      const first = assert.rejects(search('first'), StoreBusy);
      const second = search('second');
      assert.equal(await engine.read('health.meta', { name: 'probe' }), '1');
      assert.deepEqual(ended, [], 'a plain read waits for no search');
      await first;
      assert.equal(await second, '1');
      assert.deepEqual(ended, ['first', 'second']);
    } finally {
      await engine.close();
    }
  });

  it('what waits is bounded in bytes: past it the store is busy, and nothing of it is written', async () => {
    const engine = await Engine.open({ file: join(directory, 'busy.db') });
    try {
      const half = 40 * 1024 * 1024;
      const first = engine.write('health.probe', { at: 1 }, half);
      await assert.rejects(engine.write('health.probe', { at: 2 }, half), StoreBusy);
      assert.equal(engine.load().bytes, half);
      await first;
      assert.deepEqual(engine.load(), { writes: 0, bytes: 0, reads: 0 });
      await engine.write('health.probe', { at: 3 }, half);
    } finally {
      await engine.close();
    }
  });

  it('after close everything is refused, and what waited before it was done', async () => {
    const engine = await Engine.open({ file: join(directory, 'closed.db') });
    const last = engine.write('health.probe', { at: 7 });
    await engine.close();
    await last;
    await assert.rejects(engine.write('health.probe', { at: 8 }), StoreUnavailable);
    await assert.rejects(engine.read('health.meta', { name: 'probe' }), StoreUnavailable);
    const again = await Engine.open({ file: join(directory, 'closed.db') });
    assert.equal(await again.read('health.meta', { name: 'probe' }), '7');
    await again.close();
  });

  it('a data directory in use is refused, and free again when released', () => {
    const file = join(directory, 'lock');
    const lock = lockDataDirectory(file);
    assert.throws(() => lockDataDirectory(file), DataDirectoryInUse);
    lock.release();
    lockDataDirectory(file).release();
  });
});
