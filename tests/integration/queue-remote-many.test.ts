import assert from 'node:assert/strict';
import test from 'node:test';
import { Ranks } from '../../libs/accept/ranks.ts';
import type { Target } from '../../libs/delivery/row.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { until } from '../support/until.ts';
import { openRemote, ordinary, type RemoteSystem } from './queue-remote-fixture.ts';

/** Messages of 1,000 recipients each, as an accepting process makes them. */
async function sendMany(mail: RemoteSystem, many: number, destinationOf: (n: number) => string, dueInMs = 0) {
  const ranks = new Ranks();
  const now = mail.clock.nowMs();
  const bytes = Buffer.from('Subject: many\r\n\r\n.\r\n');
  for (let sent = 0; sent < many; sent += 1_000) {
    const targets = Array.from({ length: Math.min(1_000, many - sent) }, (_, n): Target => {
      const destination = destinationOf(sent + n);
      const rank = ranks.next('bulk@example.test', destination, bytes.length, now);
      const recipient = `u${sent + n}@${destination}`;
      const times = { dueAt: now + dueInMs, expiresAt: now + mail.config.expireAfterMs };
      return { n, kind: 'remote', recipient, destination, priority: 1, rank, ...times };
    });
    const messageId = newId();
    await mail.spool.accept({
      messageId,
      acceptedAt: now,
      envelope: { reversePath: 'bulk@example.test', smtputf8: false, body: '7BIT' },
      source: { by: 'mx', remoteAddress: '127.0.0.1', helo: 'client' },
      trace: '',
      body: { kind: 'inline', bytes },
      sizeBytes: bytes.length,
      sha256: '0'.repeat(64),
      targets,
    });
    await mail.spool.fanOut(messageId);
  }
}

test('100,000 messages of one sender delay another’s to the same and to another destination by seconds', async (t) => {
  const zones = { ...ordinary('bulk.test'), ...ordinary('other.test') };
  const mail = await openRemote(t, { zones, config: { deliveryLeaseMs: 60_000 } });
  await sendMany(mail, 100_000, () => 'bulk.test');
  await mail.startQueue();
  assert.equal((await mail.pullRemote(20_000))?.rows.length, 100);
  // A rank of now is what Ranks gives to who has sent nothing lately.
  const same = await mail.send(['one@bulk.test'], { sender: 'other@example.test', rank: mail.clock.nowMs() + 1_000 });
  const elsewhere = await mail.send(['one@other.test'], { sender: 'other@example.test' });
  const begun = performance.now();
  const waiting = new Set([same, elsewhere]);
  let batches = 0;
  while (waiting.size > 0) {
    const batch = await mail.pullRemote(10_000);
    assert.ok(batch, 'there is mail');
    batches++;
    for (const { messageId } of batch.rows) waiting.delete(messageId);
    await mail.settle(batch, { kind: 'delivered', reply: '250 ok' });
  }
  assert.ok(batches <= 6, `${batches} batches of 100`);
  assert.ok(performance.now() - begun < 10_000);
});

test('3,000 destinations that rest take no place from new mail, and are not read again and again', async (t) => {
  const group = { MX: ['10 mx.down.test'] };
  const zones = { ...ordinary('new.test'), '*': group, 'mx.down.test': { A: ['127.0.0.1'] } };
  const mail = await openRemote(t, { zones });
  const limits = { connections: 20, perConnection: 100, perSecond: 0 };
  await mail.groups.report({ group: 'down.test', ok: 0, failed: 0, unreachable: 9, limits, now: mail.clock.nowMs() });
  await mail.groups.report({ group: 'down.test', ok: 0, failed: 0, unreachable: 9, limits, now: mail.clock.nowMs() });
  await sendMany(mail, 9_000, (n) => `d${n % 3_000}.test`);
  await mail.startQueue();
  // The owner looks at lanes when a worker asks.
  const pulling = mail.pullRemote(29_000);
  await until('all are left alone', 50_000, async () =>
    (await mail.metrics.metrics()).includes('\nwaypost_queue_blocked_destinations 3000\n'),
  );
  assert.match(await mail.metrics.metrics(), /^waypost_queue_window_rows 0$/m);
  const begun = performance.now();
  const messageId = await mail.send(['a@new.test']);
  assert.equal((await pulling)?.rows[0]?.messageId, messageId);
  const took = performance.now() - begun;
  t.diagnostic(`new mail went after ${Math.round(took)} ms`);
  assert.ok(took < 3_000, `${took} ms`);
  assert.match(await mail.metrics.metrics(), /^waypost_queue_ready 0$/m);
});
