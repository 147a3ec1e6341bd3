import assert from 'node:assert/strict';
import { it } from 'node:test';
import { defaultLimits } from '../../libs/delivery/limits/limits.ts';
import { until } from '../support/until.ts';
import { delivered, openRemote, ordinary, type RemoteOptions } from './queue-remote-fixture.ts';

const waitMs = 20_000;
const minuteMs = 60_000;

/** What the owner does with mail for outside, over either store. */
export function remoteCases(storeOptions: () => Pick<RemoteOptions, 'mongo'>): void {
  it('B10: a batch is of one destination and brings its hosts in MX order; several recipients of a message go together', async (t) => {
    const zones = {
      'two.test': { MX: ['20 second.two.test', '10 first.two.test'] },
      'first.two.test': { A: ['127.0.0.1'] },
      'second.two.test': { A: ['127.0.0.2'] },
      'plain.test': { A: ['127.0.0.3'] },
    };
    const mail = await openRemote(t, { ...storeOptions(), zones });
    await mail.startQueue();
    const one = await mail.send(['a@two.test', 'b@two.test'], {
      notify: ['SUCCESS'],
      originalRecipient: 'rfc822;x@two.test',
    });
    const batch = await mail.pullRemote();
    assert.deepEqual(
      batch?.rows.map(({ id }) => id),
      [`${one}/0`, `${one}/1`],
    );
    assert.deepEqual([batch.rows[0]?.notify, batch.rows[0]?.originalRecipient], [['SUCCESS'], 'rfc822;x@two.test']);
    const { way } = batch;
    assert.deepEqual([way?.destination, way?.protocol], ['two.test', 'smtp']);
    assert.deepEqual(
      way?.hosts.map(({ name, port, addresses, group, limits }) => ({ name, port, addresses, group, limits })),
      [
        { name: 'first.two.test', port: 25, addresses: ['127.0.0.1'], group: 'two.test', limits: defaultLimits },
        { name: 'second.two.test', port: 25, addresses: ['127.0.0.2'], group: 'two.test', limits: defaultLimits },
      ],
    );
    await mail.settle(batch, delivered);
    await mail.send(['c@plain.test']);
    assert.equal(
      (await mail.pullRemote())?.way?.hosts[0]?.name,
      'plain.test',
      'without MX the address (RFC 5321 §5.1)',
    );
  });

  it('B10: null MX, no such domain and a loop fail at once, with the reason, and no worker is needed', async (t) => {
    const zones = {
      'null.test': { MX: ['0 .'] },
      'loop.test': { MX: ['10 mail.example.test'] },
    };
    const mail = await openRemote(t, { ...storeOptions(), zones });
    await mail.startQueue();
    for (const [domain, status] of [
      ['null.test', '5.1.10'],
      ['absent.test', '5.1.2'],
      ['loop.test', '5.4.6'],
      ['[127.0.0.1]', '5.'],
    ]) {
      const messageId = await mail.send([`a@${domain}`], { sender: '' });
      // Without a sender nobody is told, so that it ends.
      await until(`${domain} has ended`, waitMs, async () => (await mail.row(messageId)).state === 'bounced');
      const row = await mail.row(messageId);
      assert.ok(row.lastReply?.startsWith('5') && row.lastReply.includes(` ${status}`), `${domain}: ${row.lastReply}`);
    }
  });

  it('B11: trouble of the DNS defers by the schedule, and other destinations go meanwhile', async (t) => {
    const zones = {
      ...ordinary('good.test'),
      'bad.test': { MX: 'servfail' as const },
      'mute.test': { MX: 'drop' as const },
    };
    const mail = await openRemote(t, { ...storeOptions(), zones });
    await mail.startQueue();
    await mail.send(['a@mute.test']);
    const bad = await mail.send(['a@bad.test']);
    const good = await mail.send(['a@good.test']);
    assert.equal((await mail.pullRemote())?.rows[0]?.messageId, good);
    await until('it is deferred', waitMs, async () => (await mail.row(bad)).state === 'deferred');
    const row = await mail.row(bad);
    assert.equal(row.attempts, 1);
    assert.match(row.lastReply ?? '', /^451 4\.4\.3 /);
    assert.equal(row.lastReplyClass, 'network');
    const waits = row.dueAt - row.updatedAt;
    assert.ok(waits >= 30 * minuteMs && waits <= 33 * minuteMs, `${waits} ms`);
  });

  it('B5: the next attempt of a delivery is not before half an hour', async (t) => {
    const mail = await openRemote(t, { ...storeOptions(), zones: ordinary('later.test') });
    await mail.startQueue();
    const messageId = await mail.send(['a@later.test']);
    const first = await mail.pullRemote();
    assert.ok(first);
    const nextAttemptAt = mail.clock.nowMs() + 30 * minuteMs;
    await mail.settle(first, { kind: 'deferred', reply: '451 4.3.0 later', replyClass: 'temporary', nextAttemptAt });
    mail.clock.skip(29 * minuteMs);
    assert.equal(await mail.pullRemote(1_500), undefined);
    mail.clock.skip(minuteMs);
    const second = await mail.pullRemote(waitMs);
    assert.deepEqual([second?.rows[0]?.messageId, second?.rows[0]?.attempts], [messageId, 1]);
  });

  it('B11: rows of a destination that can’t be reached wait as they are until its rest ends; they still expire', async (t) => {
    const zones = { ...ordinary('down.test'), ...ordinary('up.test') };
    const mail = await openRemote(t, { ...storeOptions(), zones, config: { expireAfterMs: 60 * minuteMs } });
    await mail.startQueue();
    const first = await mail.send(['a@down.test']);
    const batch = await mail.pullRemote();
    assert.ok(batch);
    const report = { group: 'down.test', ok: 0, failed: 0, unreachable: 1, limits: defaultLimits };
    await mail.groups.report({ ...report, now: mail.clock.nowMs() });
    const nextAttemptAt = mail.clock.nowMs() + 2_000 * minuteMs;
    await mail.settle(batch, { kind: 'deferred', reply: '-', replyClass: 'network', nextAttemptAt });
    const { resting } = await standingOf('down.test');
    assert.ok(resting !== null && resting.until > mail.clock.nowMs());
    // What the owner knew of the group is a second old at most.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const second = await mail.send(['b@down.test']);
    const other = await mail.send(['b@up.test']);
    assert.equal((await mail.pullRemote())?.rows[0]?.messageId, other);
    assert.equal(await mail.pullRemote(1_000), undefined);
    const { state, attempts, dueAt, acceptedAt } = await mail.row(second);
    assert.deepEqual([state, attempts, dueAt], ['queued', 0, acceptedAt]);
    mail.clock.skip(resting.until - mail.clock.nowMs());
    const again = await mail.pullRemote(waitMs);
    assert.equal(again?.rows[0]?.messageId, second);
    await mail.groups.report({ ...report, now: mail.clock.nowMs() });
    await mail.settle(again, { kind: 'returned' });
    await until('it waits', waitMs, async () => (await mail.row(second)).state === 'queued');
    mail.clock.skip(61 * minuteMs);
    await until('both have expired', waitMs, async () =>
      [await mail.row(first), await mail.row(second)].every(
        (row) => row.state === 'failed' || row.state === 'bounced' || row.state === 'reporting',
      ),
    );

    async function standingOf(group: string) {
      const found = (await mail.groups.groups([group])).get(group);
      assert.ok(found);
      return found;
    }
  });

  it('no more batches of a group are out than connections it may open, whichever of its destinations they are for', async (t) => {
    const shared = (domain: string) => ({ [domain]: { MX: ['10 mx.provider.test'] } });
    const zones = { ...shared('one.test'), ...shared('two.test'), 'mx.provider.test': { A: ['127.0.0.1'] } };
    const limits = [{ pattern: 'provider.test', connections: 2, perConnection: 1 }];
    const mail = await openRemote(t, { ...storeOptions(), zones, config: { limits } });
    await mail.startQueue();
    for (let n = 0; n < 3; n++) for (const domain of ['one.test', 'two.test']) await mail.send([`a${n}@${domain}`]);
    const [first, second] = [await mail.pullRemote(), await mail.pullRemote()];
    assert.ok(first && second);
    assert.deepEqual([first.rows.length, second.rows.length], [1, 1]);
    assert.notEqual(first.way?.destination, second.way?.destination, 'destinations take turns');
    assert.equal(await mail.pullRemote(1_500), undefined);
    assert.match(await mail.metrics.metrics(), /^waypost_queue_ready 0$/m);
    assert.match(await mail.metrics.metrics(), /^waypost_queue_in_flight\{group="provider.test"\} 2$/m);
    const pulling = mail.pullRemote(waitMs);
    await mail.settle(first, delivered);
    assert.ok(await pulling);
    assert.equal(await mail.pullRemote(500), undefined);
  });

  it('a rate lets so many go in a second', async (t) => {
    const limits = [{ pattern: '*', perSecond: 4 }];
    const mail = await openRemote(t, { ...storeOptions(), zones: ordinary('rated.test'), config: { limits } });
    await mail.startQueue();
    for (let n = 0; n < 12; n++) await mail.send([`a${n}@rated.test`]);
    const begun = performance.now();
    let rows = 0;
    while (rows < 12) {
      const batch = await mail.pullRemote(waitMs);
      assert.ok(batch);
      assert.ok(batch.rows.length <= 4);
      rows += batch.rows.length;
      await mail.settle(batch, delivered);
    }
    assert.ok(performance.now() - begun >= 1_900, 'four at once, eight more in two seconds');
  });

  it('reports and codes go first, and a new message to one destination before another sender’s many', async (t) => {
    const mail = await openRemote(t, { ...storeOptions(), zones: ordinary('busy.test') });
    for (let n = 0; n < 30; n++) await mail.send([`bulk${n}@busy.test`], { rank: mail.clock.nowMs() + n * 60_000 });
    const other = await mail.send(['one@busy.test'], { sender: 'other@example.test' });
    const code = await mail.send(['code@busy.test'], { priority: 0, rank: mail.clock.nowMs() + 10_000_000 });
    await mail.startQueue();
    const batch = await mail.pullRemote(waitMs, 3);
    assert.equal(batch?.rows[0]?.messageId, code);
    assert.ok(batch.rows.some(({ messageId }) => messageId === other));
  });
}
