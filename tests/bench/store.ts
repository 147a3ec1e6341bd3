import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Registry } from 'prom-client';
import { localDestination } from '../../libs/delivery/partition.ts';
import { partitionCount } from '../../libs/delivery/row.ts';
import { newId } from '../../libs/runtime/ids.ts';
import type { AcceptedMessage } from '../../libs/store/ports/spool.ts';
import { openSqliteStore, type SqliteStore } from '../../libs/store/sqlite/open.ts';

/**
 * What the embedded store does in a second: accepts of 4 KiB with 1, 20 and 100 callers, then due, claim (400 rows) and record until the queue is
 * empty. `busy` is the time of the writer thread for each operation, its commits included.
 *
 *   node tests/bench/store.ts [--messages 20000] [--dir DIR]
 */
const { values: options } = parseArgs({
  options: { messages: { type: 'string', default: '20000' }, dir: { type: 'string', default: tmpdir() } },
});
const messages = Number(options.messages);
const accounts = Array.from({ length: 200 }, () => newId());
const bytes = Buffer.from(randomBytes(3072).toString('base64'));
const sha256 = createHash('sha256').update(bytes).digest('hex');

const dataDir = await mkdtemp(join(options.dir, 'waypost-bench-'));
const metrics = new Registry();
const store = await openSqliteStore({ dataDir, metrics });
try {
  for (const callers of [1, 20, 100])
    await measure(`accept, ${callers} callers`, callers === 1 ? messages / 10 : messages, acceptAll(callers));
  await measure('due, claim, record', messages * 2.1, settleAll);
} finally {
  await store.close();
  await rm(dataDir, { recursive: true });
}

async function measure(name: string, operations: number, run: (operations: number) => Promise<void>): Promise<void> {
  const busyBefore = await busySeconds();
  const begun = performance.now();
  await run(operations);
  const seconds = (performance.now() - begun) / 1000;
  const busy = ((await busySeconds()) - busyBefore) / operations;
  const rate = Math.round(operations / seconds);
  console.log(`${name.padEnd(22)} ${String(rate).padStart(7)} /s   busy ${(busy * 1e6).toFixed(1)} µs each`);
}

async function busySeconds(): Promise<number> {
  const metric = await metrics.getSingleMetric('waypost_store_commit_seconds')?.get();
  return (
    metric?.values.find((value) => 'metricName' in value && value.metricName === 'waypost_store_commit_seconds_sum')
      ?.value ?? 0
  );
}

function acceptAll(callers: number): (operations: number) => Promise<void> {
  return async (operations) => {
    let left = operations;
    const call = async (): Promise<void> => {
      while (left-- > 0) await store.spool.accept(message());
    };
    await Promise.all(Array.from({ length: callers }, call));
  };
}

function message(): AcceptedMessage {
  const now = Date.now();
  const accountId = accounts[Math.floor(Math.random() * accounts.length)] ?? '';
  return {
    messageId: newId(),
    acceptedAt: now,
    envelope: { reversePath: `sender${now % 1000}@remote.example`, smtputf8: false, body: '8BITMIME' },
    source: { by: 'mx', remoteAddress: '192.0.2.1', helo: 'client.example' },
    trace: `Received: from client.example ([192.0.2.1])\r\n by mail.example.test with ESMTP id ${newId()};\r\n Mon, 1 Jan 2024 00:00:00 +0000\r\n`,
    body: { kind: 'inline', bytes },
    sizeBytes: bytes.length,
    sha256,
    targets: [
      {
        n: 0,
        kind: 'inbox',
        recipient: `user${accountId}@example.test`,
        accountId,
        destination: localDestination(accountId),
        priority: 1,
        rank: now,
        dueAt: now,
        expiresAt: now + 432_000_000,
      },
    ],
  };
}

async function settleAll(): Promise<void> {
  const owner = 'bench';
  const partitions = Array.from({ length: partitionCount }, (_, n) => n);
  const { deliveries } = store satisfies SqliteStore;
  const leases = await store.partitions.acquire({ owner, partitions, leaseMs: 600_000 });
  while (true) {
    const due = await deliveries.due({ partitions, now: Date.now(), perDestination: 100, limit: 400 });
    if (due.length === 0) return;
    const request = { owner, leases, ids: due.map((row) => row.id), token: newId(), leaseMs: 600_000, now: Date.now() };
    const claimed = await deliveries.claim(request);
    const at = Date.now();
    await deliveries.record(
      claimed.flatMap(({ id, claim }) =>
        claim === undefined ? [] : [{ id, claim, at, result: { kind: 'delivered', reply: '250 2.0.0 kept' } }],
      ),
    );
  }
}
