import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { Registry } from 'prom-client';
import { newId } from '../../runtime/ids.ts';
import { StoreFull } from '../errors.ts';
import type { AcceptedMessage } from '../ports/spool.ts';
import { DataDirectoryInUse } from './engine/lock.ts';
import { openSqliteStore } from './open.ts';

describe('the SQLite store', () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'waypost-open-'));
  });
  after(() => rm(root, { recursive: true, force: true }));

  it('makes its directory for its owner only, and refuses a second opener with a clear error', async () => {
    const dataDir = join(root, 'new', 'data');
    const store = await openSqliteStore({ dataDir });
    assert.equal((await stat(dataDir)).mode & 0o777, 0o700);
    const files = (await readdir(dataDir)).filter((name) => name.startsWith('waypost.'));
    assert.ok(files.includes('waypost.db-wal'));
    for (const name of files) assert.equal((await stat(join(dataDir, name))).mode & 0o777, 0o600, name);
    await assert.rejects(openSqliteStore({ dataDir }), DataDirectoryInUse);
    await store.close();
    await (await openSqliteStore({ dataDir })).close();
  });

  it('a full store takes no more, keeps what it has, and goes on when there is room', async () => {
    const dataDir = join(root, 'full');
    const small = await openSqliteStore({ dataDir, maxPageCount: 400 });
    const accepted: string[] = [];
    const fill = async (): Promise<void> => {
      for (let many = 0; many < 1000; many++) {
        const next = Array.from({ length: 4 }, () => message(64 * 1024));
        await Promise.all(next.map((each) => small.spool.accept(each)));
        accepted.push(...next.map(({ messageId }) => messageId));
      }
    };
    await assert.rejects(fill(), StoreFull);
    assert.ok(accepted.length > 0);
    assert.equal((await small.spool.read(accepted)).size, accepted.length);
    assert.ok(small.healthy(), 'a full disk is known: nothing is in doubt');
    assert.equal((await small.deliveries.counts()).byState.queued, accepted.length);
    await small.close();
    const roomy = await openSqliteStore({ dataDir });
    await roomy.spool.accept(message(64 * 1024));
    assert.equal((await roomy.spool.read(accepted)).size, accepted.length);
    await roomy.close();
  });

  it('opening ends the leases of the run before, with what was wished for, and frees its partitions', async () => {
    const dataDir = join(root, 'leases');
    const first = await openSqliteStore({ dataDir });
    const mail = message(10, 3);
    await first.spool.accept(mail);
    const partitions = Array.from({ length: 256 }, (_, n) => n);
    const leases = await first.partitions.acquire({ owner: 'a', partitions, leaseMs: 1e6 });
    const ids = [0, 1, 2].map((n) => `${mail.messageId}/${n}`);
    const claim = { owner: 'a', leases, ids, token: 't', leaseMs: 1e6, now: mail.acceptedAt };
    assert.equal((await first.deliveries.claim(claim)).length, 3);
    await first.deliveries.steer({ id: ids[1]!, action: 'cancel', now: 1, actor: 'x' });
    await first.deliveries.steer({ id: ids[2]!, action: 'hold', now: 1, actor: 'x' });
    await first.close();
    const second = await openSqliteStore({ dataDir });
    const rows = await second.deliveries.ofMessage(mail.messageId);
    assert.deepEqual(
      rows.map(({ state }) => state),
      ['queued', 'cancelled', 'held'],
    );
    const again = await second.partitions.acquire({ owner: 'b', partitions, leaseMs: 1e6 });
    assert.deepEqual([again.length, again[0]?.epoch], [256, (leases[0]?.epoch ?? 0) + 1]);
    await second.close();
  });

  it('metrics show the commits and what waits', async () => {
    const metrics = new Registry();
    const store = await openSqliteStore({ dataDir: join(root, 'metrics'), metrics });
    await Promise.all([1, 2, 3].map(() => store.spool.accept(message(10))));
    const text = await metrics.metrics();
    assert.match(text, /waypost_store_commit_operations_bucket\{le="5"\} [1-9]/);
    assert.match(text, /waypost_store_commit_seconds_sum [\d.e-]+/);
    assert.match(text, /waypost_store_waiting_writes 0/);
    await store.close();
  });

  it('promise 1: a process killed in the middle of accepts has kept every message it acknowledged', async () => {
    const dataDir = join(root, 'killed');
    for (let round = 0; round < 3; round++) {
      const acknowledged = await acceptUntilKilled(dataDir, 150);
      const store = await openSqliteStore({ dataDir });
      const found = await store.spool.read(acknowledged);
      for (const messageId of acknowledged) {
        const body = found.get(messageId)?.body;
        assert.ok(body?.kind === 'inline' && Buffer.from(body.bytes).toString() === messageId, messageId);
        assert.equal((await store.deliveries.ofMessage(messageId)).length, 1);
      }
      const { byState } = await store.deliveries.counts();
      assert.ok(byState.queued >= acknowledged.length);
      await store.close();
    }
  });
});

/** A process that accepts with 20 callers and prints each id after its accept; SIGKILL when `many` are known. */
async function acceptUntilKilled(dataDir: string, many: number): Promise<string[]> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', acceptingProgram, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: import.meta.dirname,
  });
  const acknowledged: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(line);
    if (acknowledged.length === many) child.kill('SIGKILL');
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  assert.equal(child.signalCode, 'SIGKILL');
  return acknowledged;
}

const acceptingProgram = `
  const { openSqliteStore } = await import(${JSON.stringify(import.meta.resolve('./open.ts'))});
  const { newId } = await import(${JSON.stringify(import.meta.resolve('../../runtime/ids.ts'))});
  const { writeSync } = await import('node:fs');
  const message = ${message.toString()};
  const store = await openSqliteStore({ dataDir: process.argv[1] });
  const call = async () => {
    while (true) {
      const next = message(0);
      next.body.bytes = new TextEncoder().encode(next.messageId);
      await store.spool.accept(next);
      writeSync(1, next.messageId + '\\n');
    }
  };
  await Promise.all(Array.from({ length: 20 }, call));
`;

function message(bodyBytes: number, targets = 1): AcceptedMessage {
  const acceptedAt = Date.now();
  return {
    messageId: newId(),
    acceptedAt,
    envelope: { reversePath: 'a@remote.example', smtputf8: false, body: '7BIT' },
    source: { by: 'mx' },
    trace: 'Received: by mail.example.test\r\n',
    body: { kind: 'inline', bytes: new Uint8Array(bodyBytes) },
    sizeBytes: bodyBytes,
    sha256: '',
    targets: Array.from({ length: targets }, (_, n) => ({
      n,
      kind: 'inbox',
      recipient: 'user' + n + '@example.test',
      accountId: 'account',
      destination: 'local:5',
      priority: 1,
      rank: acceptedAt,
      dueAt: acceptedAt,
      expiresAt: acceptedAt + 1e9,
    })),
  };
}
