import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ApiClient, apiClient, createAccount } from '../support/api-client.ts';
import { allIn, arrived, mine, rawOf } from '../support/reading.ts';
import type { SmtpClient } from '../support/smtp-client.ts';
import { implicitTls, plainLogin } from '../support/smtp-tls.ts';
import { until } from '../support/until.ts';
import { startSystem, type System } from '../support/system.ts';

type Account = Awaited<ReturnType<typeof createAccount>>;

describe('mail that can’t be delivered after it was accepted', () => {
  let waypost: System;
  let admin: ApiClient;
  let ann: Account;
  let full: Account;

  before(async () => {
    waypost = await startSystem({
      WAYPOST_SAMPLE_ACCOUNTS: 'false',
      WAYPOST_RETRY_SCHEDULE: '1s',
      WAYPOST_DELAY_NOTICE_AFTER: '3s',
      WAYPOST_EXPIRE_AFTER: '3s',
      WAYPOST_SWEEP_INTERVAL: '300ms',
    });
    admin = apiClient(waypost.api, waypost.admin);
    ann = await createAccount(waypost.api, waypost.admin, 'ann@example.test');
    full = await createAccount(waypost.api, waypost.admin, 'full@example.test');
    await admin.request('PATCH', `/api/v1/accounts/${full.id}`, { quota: { bytes: null, messages: 1 } });
  });
  after(() => waypost.dispose());

  /** A session of ann's that has the recipient accepted and may send its data. */
  async function readyToSend(): Promise<SmtpClient> {
    const client = await implicitTls(waypost.ports.submissions);
    assert.equal((await client.command(`AUTH PLAIN ${plainLogin(ann.address, ann.password)}`)).code, 235);
    assert.equal((await client.command(`MAIL FROM:<${ann.address}>`)).code, 250);
    assert.equal((await client.command(`RCPT TO:<${full.address}>`)).code, 250);
    assert.equal((await client.command('DATA')).code, 354);
    return client;
  }

  it('B4: it is kept in the queue and tried again by the schedule', async () => {
    const [first, second] = await Promise.all([readyToSend(), readyToSend()]);
    for (const [client, subject] of [
      [first, 'takes the room'],
      [second, 'finds no room'],
    ] as const) {
      client.write(`From: ${ann.address}\r\nSubject: ${subject}\r\nX-Canary: kept\r\n\r\nthe text\r\n.\r\n`);
      assert.equal((await client.reply()).code, 250);
      await client.quit();
    }
    await arrived(full, 'takes the room');
    await until('it was tried twice', 5_000, async () => {
      const [row] = (await admin.get(`/api/v1/queue/deliveries?recipient=${full.address}&state=deferred`)).items;
      return row !== undefined && row.attempts >= 2 && /4\.2\.2/.test(row.lastReply);
    });
  });

  it('B6: past its time it leaves the queue as bounced, and is never tried again', async () => {
    const rows = async () =>
      (await admin.get(`/api/v1/queue/deliveries?recipient=${full.address}&state=bounced`)).items;
    await until('it has left the queue', 8_000, async () => (await rows()).length === 1);
    const [{ id, attempts }] = await rows();
    await admin.request('PATCH', `/api/v1/accounts/${full.id}`, { quota: { bytes: null, messages: 10 } });
    const retry = await admin.request('POST', `/api/v1/queue/deliveries/${id}/retry`);
    assert.equal(retry.status, 409, JSON.stringify(retry.body));
    // A later message goes in, and the one that has ended doesn't come with it.
    const sent = await ann.request('POST', `${mine}/messages`, { to: [{ email: full.address }], subject: 'later' });
    assert.equal(sent.status, 202);
    await arrived(full, 'later');
    assert.deepEqual((await allIn(full)).map(({ subject }) => subject).toSorted(), ['later', 'takes the room']);
    assert.equal((await admin.get(`/api/v1/queue/deliveries/${id}`)).attempts, attempts);
  });

  it('B7: the sender gets exactly one report, from the null sender, that names the recipient and the reason', async () => {
    await until('a report is there', 8_000, async () => (await allIn(ann, '&mailbox=inbox')).length > 0);
    const reports = await allIn(ann, '&mailbox=inbox');
    assert.equal(reports.length, 1, reports.map(({ subject }) => subject).join());
    const raw = (await rawOf(ann, reports[0]!.id)).toString();
    assert.match(raw, /^Return-Path: <>\r\n/);
    assert.match(raw, /^Content-Type: multipart\/report;\s+report-type="?delivery-status/im);
    assert.match(raw, /^Final-Recipient: rfc822; ?full@example\.test\r$/im);
    assert.match(raw, /^Action: failed\r$/m);
    assert.match(raw, /^Status: [45]\.\d+\.\d+\r$/m);
    assert.match(raw, /^X-Canary: kept\r$/m, 'it says which message it was');
    assert.match(raw, /^Auto-Submitted: auto-/m);
  });
});
