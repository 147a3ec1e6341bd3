import assert from 'node:assert/strict';
import test from 'node:test';
import { unreadListing } from '../../libs/mail/parse-pool/listing.ts';
import { sweepRemovedAccounts } from '../../services/mailbox/removed-accounts.ts';
import { until } from '../support/until.ts';
import { openMailSystem } from './mail-system.ts';

const waitMs = 10_000;

test('B1: an accepted message is in the mailbox of each local recipient, once, with its raw size and its trace', async (t) => {
  const mail = await openMailSystem(t);
  const [alice, bob] = [await mail.addAccount('alice'), await mail.addAccount('bob')];
  await mail.startQueue();
  await mail.startMailbox();
  const raw = 'From: Ann <ann@far.test>\r\nSubject: Lunch\r\n\r\nAt noon?\r\n';
  const messageId = await mail.accept([alice, bob], { raw });
  await until('delivered', waitMs, async () => (await mail.states(messageId)).every((state) => state === 'delivered'));
  for (const account of [alice, bob]) {
    const [message, ...others] = await mail.inbox(account);
    assert.ok(message !== undefined && others.length === 0);
    assert.equal(message.subject, 'Lunch');
    assert.deepEqual(message.from, [{ name: 'Ann', email: 'ann@far.test' }]);
    const stored = await mail.mailboxes.raw(account, message.id);
    assert.equal(stored.reversePath, 'sender@far.test');
    const prefix = `Return-Path: <sender@far.test>\r\n${stored.trace}`;
    assert.equal(message.sizeBytes, Buffer.byteLength(prefix) + raw.length);
    assert.ok(stored.body.kind === 'inline');
    assert.equal(Buffer.from(stored.body.bytes).toString(), raw);
  }
});

test('many messages for many accounts are all delivered, each once', async (t) => {
  const mail = await openMailSystem(t);
  const accounts: string[] = [];
  for (let n = 0; n < 12; n++) accounts.push(await mail.addAccount(`user${n}`));
  await mail.startQueue();
  await mail.startMailbox();
  await Promise.all(
    Array.from({ length: 600 }, (_, n) =>
      mail.accept([accounts[n % 12] ?? ''], { raw: `Subject: ${n}\r\n\r\nbody ${n}\r\n` }),
    ),
  );
  await until('all delivered', waitMs, async () => (await mail.deliveries.counts()).byState.delivered === 600);
  const subjects = (await Promise.all(accounts.map((account) => mail.inbox(account))))
    .flat()
    .map(({ subject }) => subject);
  assert.deepEqual(
    subjects.toSorted((a, b) => Number(a) - Number(b)),
    Array.from({ length: 600 }, (_, n) => String(n)),
  );
});

test('a message accepted, fanned out and woken for again and again is delivered once', async (t) => {
  const mail = await openMailSystem(t);
  const alice = await mail.addAccount('alice');
  const messageId = await mail.accept([alice]);
  await mail.startQueue();
  await mail.startMailbox();
  for (let n = 0; n < 5; n++) {
    await mail.accept([alice], { messageId });
    await mail.spool.fanOut(messageId);
    mail.bus.wake('queue.rows', { partitions: Array.from({ length: 256 }, (_, partition) => partition) });
  }
  const last = await mail.accept([alice]);
  await until('the last one is delivered', waitMs, async () => (await mail.states(last))[0] === 'delivered');
  assert.equal((await mail.inbox(alice)).length, 2);
});

test('one event tells of a change of an account, with its state token, however many messages it got', async (t) => {
  const mail = await openMailSystem(t);
  const alice = await mail.addAccount('alice');
  const events: string[] = [];
  mail.bus.subscribe(['mailbox.changed', 'mail.delivered'], ({ type, data }) => {
    events.push('state' in data ? `${type} ${data.accountId} ${data.state}` : type);
  });
  for (let n = 0; n < 50; n++) await mail.accept([alice]);
  await mail.startQueue();
  await mail.startMailbox();
  await until('all told', waitMs, () => events.filter((event) => event === 'mail.delivered').length === 50);
  const state = await mail.mailboxes.state(alice);
  await until('change told', waitMs, () => events.includes(`mailbox.changed ${alice} ${state}`));
  assert.ok(events.filter((event) => event.startsWith('mailbox.changed')).length <= 3);
});

test('delivered mail is found by search within 5 s', async (t) => {
  const mail = await openMailSystem(t);
  const alice = await mail.addAccount('alice');
  await mail.startQueue();
  await mail.startMailbox();
  await mail.accept([alice], { raw: 'Subject: Weather\r\n\r\nIt is raining in Bergen\r\n' });
  await mail.accept([alice], { raw: 'Subject: Other\r\n\r\nNothing\r\n' });
  await until('found', 5_000, async () => {
    const { messages } = await mail.mailboxes.list(alice, { text: [['bergen']] }, { limit: 10 });
    return messages.length === 1;
  });
});

test('mail that a process delivered and had no time to index is found after the next start', async (t) => {
  const mail = await openMailSystem(t);
  const alice = await mail.addAccount('alice');
  const queue = await mail.startQueue();
  await mail.accept([alice], { raw: 'Subject: Snow\r\n\r\nIn Tromso\r\n' });
  const { claim, rows } = await mail.pull();
  const [row] = rows;
  assert.ok(row?.accountId !== undefined && row.kind === 'inbox');
  const { id: deliveryId, accountId, messageId, kind, epoch } = row;
  const { summary } = unreadListing();
  const about = { role: kind, keywords: [], receivedAt: mail.clock.nowMs(), sizeBytes: 100, summary };
  const delivery = { deliveryId, accountId, messageId, kind, claim: { ...claim, epoch }, ...about };
  await mail.mailboxes.deliver([delivery], mail.clock.nowMs());
  await queue.stop();
  await mail.startMailbox();
  await until('found', 5_000, async () => {
    const { messages } = await mail.mailboxes.list(alice, { text: [['tromso']] }, { limit: 10 });
    return messages.length === 1;
  });
});

test('a large message is delivered from the blob store, with what its end holds', async (t) => {
  const mail = await openMailSystem(t);
  const alice = await mail.addAccount('alice');
  await mail.startQueue();
  await mail.startMailbox();
  const part = (type: string, content: string): string => `--b\r\nContent-Type: ${type}\r\n\r\n${content}\r\n`;
  const text = 'All of it is here.\r\n'.repeat(100_000);
  const attached = part('application/pdf; name=a.pdf\r\nContent-Disposition: attachment', 'x');
  const raw = `Subject: Large\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${part('text/plain', text)}${attached}--b--\r\n`;
  const messageId = await mail.accept([alice], { raw });
  await until('delivered', waitMs, async () => (await mail.states(messageId))[0] === 'delivered');
  const [message] = await mail.inbox(alice);
  assert.equal(message?.subject, 'Large');
  assert.equal(message?.hasAttachment, true);
  assert.equal(message?.unparsable, false);
});

test('a message whose body is lost waits alone; the others of its batch are delivered', async (t) => {
  const mail = await openMailSystem(t);
  const alice = await mail.addAccount('alice');
  const lost = await mail.accept([alice], { raw: `Subject: lost\r\n\r\n${'x'.repeat(300_000)}\r\n` });
  const other = await mail.accept([alice]);
  const { refs } = await mail.blobs.list({ olderThanMs: -1_000, limit: 10 });
  for (const ref of refs) await mail.blobs.remove(ref);
  await mail.startQueue();
  await mail.startMailbox();
  await until('both ended', waitMs, async () => {
    return (await mail.states(lost))[0] === 'deferred' && (await mail.states(other))[0] === 'delivered';
  });
  assert.match((await mail.deliveries.ofMessage(lost))[0]?.lastReply ?? '', /^451 4\.3\.0 /);
});

test('mail that is no mail at all is kept, marked and readable raw', async (t) => {
  const mail = await openMailSystem(t);
  const alice = await mail.addAccount('alice');
  await mail.startQueue();
  await mail.startMailbox();
  const raw = '\u0000\u0001 no header here\r\n: nor here\r\n';
  const messageId = await mail.accept([alice], { raw });
  await until('delivered', waitMs, async () => (await mail.states(messageId))[0] === 'delivered');
  const [message] = await mail.inbox(alice);
  assert.ok(message !== undefined);
  const { body } = await mail.mailboxes.raw(alice, message.id);
  assert.equal(body.kind === 'inline' && Buffer.from(body.bytes).toString(), raw);
});

test('over quota the delivery waits, and goes into the mailbox when there is room and its time has come', async (t) => {
  const mail = await openMailSystem(t);
  const alice = await mail.addAccount('alice');
  await mail.mailboxes.setQuota(alice, { bytes: null, messages: 1 });
  const first = await mail.accept([alice]);
  await mail.startQueue();
  await mail.startMailbox();
  await until('the first is delivered', waitMs, async () => (await mail.states(first))[0] === 'delivered');
  const deferred: { reply: string; nextAttemptAt: string }[] = [];
  mail.bus.subscribe(['mail.deferred'], ({ data }) => void deferred.push(data));
  const second = await mail.accept([alice]);
  await until('the second waits', waitMs, async () => (await mail.states(second))[0] === 'deferred');
  const [row] = await mail.deliveries.ofMessage(second);
  assert.match(row?.lastReply ?? '', /^452 4\.2\.2 /);
  assert.equal(row?.attempts, 1);
  await until('told', waitMs, () => deferred.length === 1);
  const waitsMs = Date.parse(deferred[0]?.nextAttemptAt ?? '') - mail.clock.nowMs();
  assert.ok(waitsMs > 29 * 60_000 && waitsMs <= 33 * 60_000, `${waitsMs}`);

  await mail.mailboxes.setQuota(alice, { bytes: null, messages: null });
  mail.clock.skip(33 * 60_000);
  await until('the second is delivered', waitMs, async () => (await mail.states(second))[0] === 'delivered');
  assert.equal((await mail.inbox(alice)).length, 2);
});

test('a full mailbox keeps nobody else waiting', async (t) => {
  const mail = await openMailSystem(t);
  const [alice, bob] = [await mail.addAccount('alice'), await mail.addAccount('bob')];
  await mail.mailboxes.setQuota(alice, { bytes: 1, messages: null });
  const messageId = await mail.accept([alice, bob]);
  await mail.startQueue();
  await mail.startMailbox();
  await until('both ended', waitMs, async () => {
    return (await mail.states(messageId)).toSorted().join() === 'deferred,delivered';
  });
  assert.equal((await mail.inbox(bob)).length, 1);
});

test('a batch whose worker died goes out again when its lease ends, and is delivered once; the dead one comes too late', async (t) => {
  const mail = await openMailSystem(t);
  const alice = await mail.addAccount('alice');
  await mail.startQueue();
  const messageId = await mail.accept([alice]);
  const batch = await mail.pull();
  const [row] = batch.rows;
  assert.ok(row !== undefined);
  await mail.startMailbox();
  assert.deepEqual(await mail.states(messageId), ['leased']);
  await until('delivered after the lease', waitMs, async () => (await mail.states(messageId))[0] === 'delivered');

  const { claim } = batch;
  const outcome = { kind: 'deferred', reply: '450 late', replyClass: 'temporary', nextAttemptAt: 0 } as const;
  const [late] = await mail.deliveries.record([
    { id: row.id, claim: { ...claim, epoch: row.epoch }, at: 0, result: outcome },
  ]);
  assert.equal(late?.answer, 'stale');
  assert.deepEqual(await mail.states(messageId), ['delivered']);
  assert.equal((await mail.inbox(alice)).length, 1);
});

test('an account that is removed loses its mail, and auth hears of it', async (t) => {
  const mail = await openMailSystem(t);
  const alice = await mail.addAccount('alice');
  await mail.startQueue();
  await mail.startMailbox();
  const messageId = await mail.accept([alice]);
  await until('delivered', waitMs, async () => (await mail.states(messageId))[0] === 'delivered');
  await mail.directoryAdmin.removeAccount(alice, mail.clock.nowMs());
  await until('purged', waitMs, async () => (await mail.directory.removedAccounts(10)).length === 0);
  const late = await mail.accept([alice]);
  await until('what comes later waits', waitMs, async () => (await mail.states(late))[0] === 'deferred');
  assert.match((await mail.deliveries.ofMessage(late))[0]?.lastReply ?? '', /^450 4\.2\.1 /);
});

test('a removed account whose mail can’t be removed keeps no other from being removed', async (t) => {
  const mail = await openMailSystem(t);
  const [broken, gone] = [await mail.addAccount('broken'), await mail.addAccount('gone')];
  for (const id of [broken, gone]) await mail.directoryAdmin.removeAccount(id, mail.clock.nowMs());
  const removeAccount = async (id: string, limit: number): Promise<number> => {
    if (id === broken) throw new Error('a row can’t be read');
    return mail.mailboxes.removeAccount(id, limit);
  };
  await sweepRemovedAccounts({ ...mail, mailboxes: { removeAccount } }, new AbortController().signal);
  const left = await mail.directory.removedAccounts(10);
  assert.deepEqual(
    left.map(({ id }) => id),
    [broken],
  );
});
