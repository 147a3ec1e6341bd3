import assert from 'node:assert/strict';
import { it } from 'node:test';
import { nextAttemptAt } from '../../libs/delivery/schedule.ts';
import { loadConfig } from '../../libs/config/load.ts';
import type { Outcome } from '../../libs/store/ports/deliveries.ts';
import { sendReport } from '../../services/queue/reports/send-report.ts';
import { allPartitions } from '../contract/spool-messages.ts';
import { until } from '../support/until.ts';
import type { MailSystemOptions } from './mail-system.ts';
import { openReports, type Reports } from './reports-fixture.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const refused: Outcome['result'] = { kind: 'failed', reply: '550 5.1.1 no such user', replyClass: 'permanent' };
const relayed: Outcome['result'] = { kind: 'delivered', reply: '250 2.0.0 taken', relayed: true };
const busy = (nextAt: number): Outcome['result'] => ({
  kind: 'deferred',
  reply: '451 4.7.1 come again',
  replyClass: 'temporary',
  nextAttemptAt: nextAt,
});

/** Deliveries for outside from the first failure to the last report, over days, by the store of `options`. */
export function remoteReportCases(options: () => Pick<MailSystemOptions, 'mongo'>, { steps = 240 } = {}): void {
  /** Tries whenever the row is due, until nothing waits any more; answers when it tried. */
  async function tryOn(mail: Reports, id: string, stepsMs: readonly number[]): Promise<number[]> {
    const attemptsAt: number[] = [];
    for (let n = 0; n <= steps + 10; n++) {
      const now = mail.clock.nowMs();
      await mail.deliveries.expireRows({ partitions: allPartitions, now, limit: 10 });
      if ((await mail.deliveries.get(id))?.row.state === 'failed') break;
      attemptsAt.push(now);
      const attempt = { stepsMs, attempts: attemptsAt.length, attemptEndedAt: now, random: Math.random };
      await mail.attempt(id, busy(nextAttemptAt(attempt)));
      const next = await mail.deliveries.nextDueAt({ partitions: allPartitions, now: mail.clock.nowMs() });
      mail.clock.skip((next ?? now) - mail.clock.nowMs() + 1);
    }
    return attemptsAt;
  }
  const leastGap = (times: readonly number[]): number =>
    Math.min(...times.slice(1).map((at, index) => at - (times[index] ?? 0)));

  it('B5, B6, B7: tried about every half hour for five days, never sooner; then the sender gets one report', async (t) => {
    const config = loadConfig(steps < 240 ? { WAYPOST_RETRY_SCHEDULE: '6h' } : {});
    const mail = await openReports(t, { ...options(), schedules: config });
    const messageId = await mail.send();
    const begun = mail.clock.nowMs();
    const attemptsAt = await tryOn(mail, `${messageId}/0`, config.retryScheduleMs);
    assert.ok(leastGap(attemptsAt) >= (config.retryScheduleMs[0] ?? 0));
    assert.ok(attemptsAt.length <= steps + 1 && attemptsAt.length >= steps * 0.9, `${attemptsAt.length} attempts`);
    const [last = 0, ended] = [attemptsAt.at(-1), mail.clock.nowMs()];
    assert.ok(last < begun + 5 * day && ended >= begun + 5 * day);
    await mail.sweep();
    const reports = await mail.reports(messageId);
    assert.deepEqual(
      reports.map(({ kind }) => kind),
      ['failure'],
    );
    assert.match(reports[0]?.raw ?? '', /^Status: 4\.7\.1\r$/m);
  });

  it('B5: a schedule and a first retry that are set are kept', async (t) => {
    const config = loadConfig({
      WAYPOST_FIRST_RETRY: '5m',
      WAYPOST_RETRY_SCHEDULE: '2h',
      WAYPOST_DELAY_NOTICE_AFTER: '1h',
      WAYPOST_EXPIRE_AFTER: '8h',
    });
    const mail = await openReports(t, { ...options(), schedules: config });
    const messageId = await mail.send();
    const [first = 0, second = 0, ...others] = await tryOn(mail, `${messageId}/0`, config.retryScheduleMs);
    assert.ok(second - first >= 5 * minute && second - first < 6 * minute);
    assert.ok(leastGap([second, ...others]) >= 2 * hour && others.length >= 2 && others.length <= 3);
  });

  it('B7: a 5xx is told at once, in one multipart/report with the server’s own words', async (t) => {
    const mail = await openReports(t, options());
    const bob = { recipient: 'bob@far.test', originalRecipient: 'rfc822;Bob@Far.test' };
    const messageId = await mail.send({ to: [bob, 'eve@far.test'], envid: 'QQ31', ret: 'FULL' });
    for (const n of [0, 1]) await mail.attempt(`${messageId}/${n}`, refused, { with: { host: 'mx.far.test' } });
    await mail.sweep();
    await mail.sweep();
    const [report, ...others] = await mail.reports(messageId);
    assert.ok(report !== undefined && others.length === 0);
    assert.equal(report.recipient, 'alice@example.test');
    assert.match(report.raw, /^Content-Type: multipart\/report; report-type=delivery-status;/m);
    assert.match(report.raw, /^Auto-Submitted: auto-replied\r$/m);
    assert.equal(report.raw.match(/^Final-Recipient:/gm)?.length, 2);
    for (const field of [
      'Original-Envelope-Id: QQ31',
      'Original-Recipient: rfc822; Bob@Far.test',
      'Final-Recipient: rfc822; bob@far.test',
      'Action: failed',
      'Status: 5.1.1',
      'Remote-MTA: dns; mx.far.test',
      'Diagnostic-Code: smtp; 550 5.1.1 no such user',
    ])
      assert.ok(report.raw.includes(`\r\n${field}\r\n`), field);
    assert.match(report.raw, /^Last-Attempt-Date: /m);
    assert.match(report.raw, /\r\n\r\nhello\r\n/, 'RET=FULL returns the message');
    assert.deepEqual(await mail.states(messageId), ['bounced', 'bounced']);
  });

  it('B7: the forms for UTF-8 are used where the message came with SMTPUTF8 and an address needs them', async (t) => {
    const mail = await openReports(t, options());
    const [plain, global] = [
      await mail.send({ smtputf8: true }),
      await mail.send({ smtputf8: true, to: ['jörg@far.test'] }),
    ];
    for (const id of [plain, global]) await mail.attempt(`${id}/0`, refused);
    await mail.sweep();
    const [ofPlain] = await mail.reports(plain);
    const [ofGlobal] = await mail.reports(global);
    assert.match(ofPlain?.raw ?? '', /^Content-Type: message\/delivery-status\r$/m);
    assert.match(ofGlobal?.raw ?? '', /^Content-Type: message\/global-delivery-status\r$/m);
    assert.deepEqual([ofPlain?.smtputf8, ofGlobal?.smtputf8], [false, false], 'they go to an ASCII address');
    assert.doesNotMatch(ofGlobal?.raw ?? '', /[^\x00-\x7f]/);
  });

  it('B7: neither the null sender, nor NOTIFY=NEVER, nor a postmaster of its own mail is told of anything', async (t) => {
    const mail = await openReports(t, options());
    const never = { recipient: 'bob@far.test', notify: 'NEVER' as const };
    const ids = [
      await mail.send({ sender: '' }),
      await mail.send({ to: [never] }),
      await mail.send({ sender: 'postmaster@example.test', to: ['Postmaster@example.test'] }),
    ];
    mail.clock.skip(5 * hour);
    await mail.sweep();
    for (const id of ids) await mail.attempt(`${id}/0`, refused);
    await mail.sweep();
    for (const id of ids) assert.deepEqual([await mail.reports(id), await mail.states(id)], [[], ['bounced']]);
  });

  it('a delivery that still waits after four hours is told once, then its failure', async (t) => {
    const mail = await openReports(t, options());
    const messageId = await mail.send({ to: ['bob@far.test', 'eve@near.test'] });
    const sent = mail.clock.nowMs();
    await mail.attempt(`${messageId}/0`, busy(sent + hour), { with: { host: 'mx.far.test' } });
    mail.clock.skip(4 * hour - minute);
    await mail.sweep();
    assert.deepEqual(await mail.reports(messageId), []);
    mail.clock.skip(minute);
    for (const _ of [1, 2]) await mail.sweep();
    mail.clock.skip(day);
    await mail.sweep();
    const [notice, ...others] = await mail.reports(messageId);
    assert.ok(notice?.kind === 'delay' && others.length === 0);
    assert.equal(notice.raw.match(/^Action: delayed\r$/gm)?.length, 2, 'also of what was never tried');
    assert.match(notice.raw, /^Status: 4\.7\.1\r$/m);
    const until = new Date(Number((await mail.deliveries.get(`${messageId}/0`))?.row.expiresAt)).toUTCString();
    assert.ok(notice.raw.includes(`\r\nWill-Retry-Until: ${until.replace('GMT', '+0000')}\r\n`));
    assert.deepEqual(await mail.states(messageId), ['deferred', 'queued']);
    mail.clock.skip(5 * day);
    await mail.sweep();
    assert.deepEqual((await mail.reports(messageId)).map(({ kind }) => kind).toSorted(), ['delay', 'failure']);
  });

  it('NOTIFY without DELAY means no notice, NOTIFY=DELAY nothing but the notice', async (t) => {
    const mail = await openReports(t, options());
    const failure = await mail.send({ to: [{ recipient: 'bob@far.test', notify: ['FAILURE'] }] });
    const delay = await mail.send({ to: [{ recipient: 'bob@far.test', notify: ['DELAY'] }] });
    mail.clock.skip(5 * hour);
    await mail.sweep();
    assert.deepEqual(await mail.reports(failure), []);
    assert.equal((await mail.reports(delay)).length, 1);
    mail.clock.skip(5 * day);
    await mail.sweep();
    assert.deepEqual([(await mail.reports(failure)).length, (await mail.reports(delay)).length], [1, 1]);
    assert.deepEqual(await mail.states(delay), ['bounced']);
  });

  it('of mail that was put off the notice and the expiry count from its time', async (t) => {
    const mail = await openReports(t, options());
    const messageId = await mail.send({ delayMs: 2 * day });
    mail.clock.skip(2 * day + 3 * hour);
    await mail.sweep();
    assert.deepEqual(await mail.reports(messageId), []);
    mail.clock.skip(hour);
    await mail.sweep();
    assert.equal((await mail.reports(messageId))[0]?.kind, 'delay');
    mail.clock.skip(5 * day - 5 * hour);
    await mail.sweep();
    assert.deepEqual(await mail.states(messageId), ['queued']);
    mail.clock.skip(hour);
    await mail.sweep();
    assert.deepEqual(await mail.states(messageId), ['bounced']);
  });

  it('a route has its own times', async (t) => {
    const { routes } = loadConfig({
      WAYPOST_ROUTES: 'far.test=smtp://relay.test:25?retry=5m,30m&expire=1d&delayNotice=1h',
    });
    const mail = await openReports(t, { ...options(), schedules: { routes } });
    const messageId = await mail.send({ to: ['bob@far.test', 'eve@near.test'] });
    mail.clock.skip(hour);
    await mail.sweep();
    const [notice] = await mail.reports(messageId);
    assert.deepEqual(notice?.raw.match(/^Final-Recipient: .*(?=\r)/gm), ['Final-Recipient: rfc822; bob@far.test']);
    mail.clock.skip(day);
    await mail.sweep();
    assert.deepEqual(await mail.states(messageId), ['failed', 'queued'], 'gathered while another is ready');
    mail.clock.skip(2 * minute);
    await mail.sweep();
    assert.deepEqual(await mail.states(messageId), ['bounced', 'queued']);
  });

  it('NOTIFY=SUCCESS: told of what was handed to a server without DSN, not of what a server with DSN has taken', async (t) => {
    const mail = await openReports(t, options());
    const to = ['bob@far.test', 'eve@far.test'].map((recipient) => ({ recipient, notify: ['SUCCESS'] as const }));
    const messageId = await mail.send({ to });
    await mail.attempt(`${messageId}/0`, relayed, { with: { host: 'mx.far.test' } });
    await mail.attempt(`${messageId}/1`, { kind: 'delivered', reply: '250 2.0.0 taken' });
    for (const _ of [1, 2]) await mail.sweep();
    const [report, ...others] = await mail.reports(messageId);
    assert.ok(report?.kind === 'success' && others.length === 0);
    assert.deepEqual(report.raw.match(/^Action: .*(?=\r)/gm), ['Action: relayed']);
    assert.match(report.raw, /^Final-Recipient: rfc822; bob@far\.test\r$/m);
    assert.match(report.raw, /^Status: 2\.0\.0\r$/m);
    const { attempts } = (await mail.deliveries.get(`${messageId}/0`)) ?? { attempts: [] };
    assert.deepEqual(
      attempts.map(({ event }) => event),
      ['delivered', 'success reported'],
    );
  });

  it('NOTIFY=SUCCESS: told of what came into a mailbox here', async (t) => {
    const mail = await openReports(t, options());
    const bob = await mail.addAccount('bob');
    const told = await mail.send({ account: { id: bob, notify: ['SUCCESS'] } });
    const untold = await mail.send({ account: { id: bob } });
    await mail.partitions.release({ owner: 'test', leases: mail.leases });
    const [queue, mailbox] = [await mail.startQueue(), await mail.startMailbox()];
    await until('delivered', 10_000, async () => (await mail.inbox(bob)).length === 2);
    await mailbox.stop();
    await queue.stop();
    await mail.sweep();
    const [report, ...others] = await mail.reports(told);
    assert.ok(report?.kind === 'success' && others.length === 0);
    assert.match(report.raw, /^Action: delivered\r$/m);
    assert.deepEqual(await mail.reports(untold), []);
  });

  for (const kind of ['failure', 'delay', 'success'] as const) {
    it(`a reporter that dies at any step leaves exactly one report: ${kind}`, async (t) => {
      const mail = await openReports(t, options());
      const { deliveries, clock, deps } = mail;
      const to = [{ recipient: 'bob@far.test', notify: ['SUCCESS', 'FAILURE', 'DELAY'] as const }];
      const owed = async (): Promise<string> => {
        const messageId = await mail.send({ to });
        if (kind === 'delay') clock.skip(5 * hour);
        else await mail.attempt(`${messageId}/0`, kind === 'failure' ? refused : relayed);
        await deliveries.noteDelays({ partitions: allPartitions, now: clock.nowMs(), limit: 10 });
        return messageId;
      };
      const start = async (messageId: string) => {
        if (kind !== 'failure') {
          const { notice: n, rows } = (await deliveries.startNotice({ messageId, kind })) ?? { notice: 0, rows: [] };
          return { messageId, kind, n, rows };
        }
        const begun = await deliveries.startReport({ messageId, now: clock.nowMs() });
        return { messageId, kind, n: begun?.report ?? 0, rows: begun?.rows ?? [] };
      };
      const steps: ((messageId: string) => Promise<unknown>)[] = [
        async () => undefined,
        start,
        async (messageId) => sendReport(deps, await start(messageId)),
        async (messageId) => mail.reporter().report(messageId),
        async (messageId) => Promise.all([1, 2].map(() => mail.reporter().report(messageId))),
      ];
      for (const [step, run] of steps.entries()) {
        const messageId = await owed();
        await run(messageId);
        for (const _ of [1, 2]) await mail.reporter().round(new AbortController().signal);
        const reports = await mail.reports(messageId);
        assert.deepEqual(
          reports.map((report) => report.kind),
          [kind],
          `dropped after step ${step}`,
        );
        assert.ok(!(await deliveries.owing({ messagePartitions: allPartitions, limit: 10 })).includes(messageId));
      }
    });
  }
}
