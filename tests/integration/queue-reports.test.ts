import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { Registry } from 'prom-client';
import { queueMetrics } from '../../services/queue/metrics.ts';
import { reportId } from '../../services/queue/reports/report-id.ts';
import { sendReport } from '../../services/queue/reports/send-report.ts';
import { Reporter } from '../../services/queue/reports/reporter.ts';
import { until } from '../support/until.ts';
import { type AcceptOptions, type MailSystem, openMailSystem } from './mail-system.ts';

const waitMs = 10_000;
const days = 24 * 60 * 60_000;
const alicesAddress = 'alice@example.test';

/** Alice has sent to an account that was removed before its mail was delivered, and the time for the delivery is over. */
async function expiredDelivery(t: TestContext, options: AcceptOptions = {}) {
  const mail = await openMailSystem(t);
  const [alice, gone] = [await mail.addAccount('alice'), await mail.addAccount('gone')];
  const messageId = await mail.accept([gone], { sender: alicesAddress, ...options });
  await mail.directoryAdmin.removeAccount(gone, mail.clock.nowMs());
  await mail.mailboxes.removeAccount(gone, 100);
  return { mail, alice, gone, messageId };
}

const partitions = Array.from({ length: 256 }, (_, partition) => partition);

/** Lets the time pass without any service, so that a test can take the steps of a report one by one. */
async function expire(mail: MailSystem): Promise<void> {
  mail.clock.skip(6 * days);
  await mail.deliveries.expireRows({ partitions, now: mail.clock.nowMs(), limit: 10 });
}

const reportDeps = (mail: MailSystem) => ({ ...mail, host: mail.config, schedules: mail.config });

function reporterOf(mail: MailSystem): Reporter {
  const metrics = queueMetrics(new Registry());
  return new Reporter({ ...reportDeps(mail), metrics, messagePartitions: () => partitions });
}

/** Both services run until the message is bounced and nothing is left to do. */
async function finish(mail: MailSystem, messageId: string): Promise<void> {
  await mail.startQueue();
  await mail.startMailbox();
  await until('bounced', waitMs, async () => (await mail.states(messageId)).every((state) => state === 'bounced'));
  await until('nothing open', waitMs, async () => {
    const { byState } = await mail.deliveries.counts();
    return byState.queued + byState.leased + byState.deferred + byState.failed + byState.reporting === 0;
  });
}

test('B7: an account removed after the 250 defers the delivery, and at expiry the sender gets exactly one report', async (t) => {
  const { mail, alice, gone, messageId } = await expiredDelivery(t);
  const bounced: { deliveryId: string; reportId?: string | undefined }[] = [];
  mail.bus.subscribe(['mail.bounced'], ({ data }) => void bounced.push(data));
  const queue = await mail.startQueue();
  const mailbox = await mail.startMailbox();
  await until('deferred', waitMs, async () => (await mail.states(messageId))[0] === 'deferred');
  await queue.stop();
  await mailbox.stop();
  await expire(mail);
  await finish(mail, messageId);

  const [report, ...others] = await mail.inbox(alice);
  assert.ok(report !== undefined && others.length === 0);
  const { reversePath, body } = await mail.mailboxes.raw(alice, report.id);
  assert.equal(reversePath, '');
  const raw = body.kind === 'inline' ? Buffer.from(body.bytes).toString() : '';
  assert.match(raw, /^Content-Type: multipart\/report; report-type=delivery-status;/m);
  assert.match(raw, new RegExp(`^Final-Recipient: rfc822; ?${gone}@example.test`, 'm'));
  assert.match(raw, /^Action: failed\r$/m);
  assert.match(raw, /^Status: 4\.2\.1\r$/m);
  await until('told', waitMs, () => bounced.length === 1);
  assert.equal(bounced[0]?.deliveryId, `${messageId}/0`);
  assert.equal(bounced[0]?.reportId, reportId(messageId, 1, 'failure'));
});

test('a reporter that dies after it began its report leaves one report', async (t) => {
  const { mail, alice, messageId } = await expiredDelivery(t);
  await expire(mail);
  await mail.deliveries.startReport({ messageId, now: mail.clock.nowMs() });
  assert.deepEqual(await mail.states(messageId), ['reporting']);
  await finish(mail, messageId);
  assert.equal((await mail.inbox(alice)).length, 1);
});

test('a reporter that dies after it accepted its report leaves one report', async (t) => {
  const { mail, alice, messageId } = await expiredDelivery(t);
  await expire(mail);
  const started = await mail.deliveries.startReport({ messageId, now: mail.clock.nowMs() });
  const about = { messageId, kind: 'failure', n: started?.report ?? 0, rows: started?.rows ?? [] } as const;
  await sendReport(reportDeps(mail), about);
  assert.deepEqual(await mail.states(messageId), ['reporting']);
  await finish(mail, messageId);
  assert.equal((await mail.inbox(alice)).length, 1);
});

test('a reporter that dies after the last step has nothing left to do', async (t) => {
  const { mail, alice, messageId } = await expiredDelivery(t);
  await expire(mail);
  await reporterOf(mail).report(messageId);
  assert.deepEqual(await mail.states(messageId), ['bounced']);
  assert.equal(await reporterOf(mail).report(messageId), 'done');
  await finish(mail, messageId);
  assert.equal((await mail.inbox(alice)).length, 1);
});

test('two reporters at the same message leave one report', async (t) => {
  const { mail, alice, messageId } = await expiredDelivery(t);
  await expire(mail);
  await Promise.all([reporterOf(mail).report(messageId), reporterOf(mail).report(messageId)]);
  await finish(mail, messageId);
  assert.equal((await mail.inbox(alice)).length, 1);
});

test('B7: NOTIFY=NEVER ends bounced without a report', async (t) => {
  const { mail, alice, messageId } = await expiredDelivery(t, { notify: 'NEVER' });
  await expire(mail);
  await finish(mail, messageId);
  assert.deepEqual(await mail.inbox(alice), []);
});

test('B7: mail from the null sender ends bounced without a report', async (t) => {
  const { mail, alice, messageId } = await expiredDelivery(t, { sender: '' });
  await expire(mail);
  await finish(mail, messageId);
  assert.deepEqual(await mail.inbox(alice), []);
});

test('a report whose sender is gone as well ends bounced, without another', async (t) => {
  const { mail, alice, messageId } = await expiredDelivery(t);
  await expire(mail);
  await reporterOf(mail).report(messageId);
  await mail.directoryAdmin.removeAccount(alice, mail.clock.nowMs());
  await mail.mailboxes.removeAccount(alice, 100);
  await expire(mail);
  await finish(mail, reportId(messageId, 1, 'failure'));
  assert.equal((await mail.deliveries.list({}, { limit: 10 })).length, 2);
});

test('the sender is told also when the body of the failed message is lost', async (t) => {
  const large = `Subject: large\r\n\r\n${'x'.repeat(400_000)}\r\n`;
  const { mail, alice, messageId } = await expiredDelivery(t, { raw: large });
  const body = (await mail.spool.read([messageId])).get(messageId)?.body;
  assert.ok(body?.kind === 'blob');
  await mail.blobs.remove(body.ref);
  await expire(mail);
  await reporterOf(mail).round(new AbortController().signal);
  await finish(mail, messageId);
  assert.equal((await mail.inbox(alice)).length, 1);
});

test('a sender who is unknown here is not told, and the delivery ends all the same', async (t) => {
  const { mail, messageId } = await expiredDelivery(t, { sender: 'nobody@example.test' });
  await expire(mail);
  await finish(mail, messageId);
  assert.equal((await mail.deliveries.list({}, { limit: 10 })).length, 1);
});

test('a report to a sender outside is accepted and waits in the queue', async (t) => {
  const { mail, messageId } = await expiredDelivery(t, { sender: 'ann@far.test' });
  await expire(mail);
  await mail.startQueue();
  await until('bounced', waitMs, async () => (await mail.states(messageId))[0] === 'bounced');
  const [row] = await mail.deliveries.ofMessage(reportId(messageId, 1, 'failure'));
  assert.equal(row?.state, 'queued');
  assert.equal(row?.kind, 'remote');
  assert.equal(row?.destination, 'far.test');
});

/** A worker's 5xx for one row, written by the ports alone. */
async function fail(mail: MailSystem, id: string): Promise<void> {
  const now = mail.clock.nowMs();
  const [owner, token, leaseMs] = ['test', 'token', 10_000];
  const leases = await mail.partitions.acquire({ owner, partitions, leaseMs });
  const [row] = await mail.deliveries.claim({ owner, leases, ids: [id], token, leaseMs, now });
  assert.ok(row?.claim !== undefined);
  const result = { kind: 'failed', reply: '550 5.1.1 no', replyClass: 'permanent' } as const;
  await mail.deliveries.record([{ id, claim: row.claim, at: now, result }]);
  await mail.partitions.release({ owner, leases });
}

test('the failures of a message are gathered while another of its recipients is ready, for a minute at most', async (t) => {
  const mail = await openMailSystem(t);
  const [alice, bob, eve] = [
    await mail.addAccount('alice'),
    await mail.addAccount('bob'),
    await mail.addAccount('eve'),
  ];
  const messageId = await mail.accept([bob, eve], { sender: alicesAddress });
  await fail(mail, `${messageId}/0`);
  const reporter = reporterOf(mail);
  assert.equal(await reporter.report(messageId), 'gathering');
  mail.clock.skip(59_000);
  assert.equal(await reporter.report(messageId), 'gathering');
  mail.clock.skip(2_000);
  assert.equal(await reporter.report(messageId), 'done');
  assert.deepEqual(await mail.states(messageId), ['bounced', 'queued']);
  await fail(mail, `${messageId}/1`);
  assert.equal(await reporter.report(messageId), 'done');
  assert.deepEqual(await mail.states(messageId), ['bounced', 'bounced']);
  await finish(mail, messageId);
  assert.equal((await mail.inbox(alice)).length, 2, 'the second failure came too late for the first report');
});

test('failures that come together are told in one report', async (t) => {
  const mail = await openMailSystem(t);
  const [alice, bob, eve] = [
    await mail.addAccount('alice'),
    await mail.addAccount('bob'),
    await mail.addAccount('eve'),
  ];
  const messageId = await mail.accept([bob, eve], { sender: alicesAddress });
  await fail(mail, `${messageId}/0`);
  await fail(mail, `${messageId}/1`);
  await finish(mail, messageId);
  const [report, ...others] = await mail.inbox(alice);
  assert.ok(report !== undefined && others.length === 0);
  const { body } = await mail.mailboxes.raw(alice, report.id);
  const raw = body.kind === 'inline' ? Buffer.from(body.bytes).toString() : '';
  assert.equal(raw.match(/^Final-Recipient:/gm)?.length, 2);
  assert.equal(raw.match(/^Status: 5\.1\.1/gm)?.length, 2);
});
