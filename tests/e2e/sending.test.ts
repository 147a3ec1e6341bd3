import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ApiClient, apiClient, createAccount } from '../support/api-client.ts';
import { allIn, arrived, mine, queueIsDone } from '../support/reading.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { until } from '../support/until.ts';
import { startSystem, type System } from '../support/system.ts';

type Account = Awaited<ReturnType<typeof createAccount>>;

describe('sending later, in threads, and to names beyond ASCII', () => {
  let waypost: System;
  let admin: ApiClient;
  let ann: Account;
  let ben: Account;

  before(async () => {
    waypost = await startSystem({ WAYPOST_SAMPLE_ACCOUNTS: 'false' });
    admin = apiClient(waypost.api, waypost.admin);
    ann = await createAccount(waypost.api, waypost.admin, 'ann@example.test');
    ben = await createAccount(waypost.api, waypost.admin, 'ben@example.test');
  });
  after(() => waypost.dispose());

  async function sent(from: ApiClient, body: object): Promise<{ id: string; messageId: string }> {
    const answer = await from.request('POST', `${mine}/messages`, body);
    assert.equal(answer.status, 202, JSON.stringify(answer.body));
    return answer.body;
  }

  it('a message with sendAt arrives at its time and not before', async () => {
    const sendAt = Date.now() + 2_500;
    const { id } = await sent(ann, {
      to: [{ email: ben.address }],
      subject: 'later',
      sendAt: new Date(sendAt).toISOString(),
    });
    const waiting = await admin.get(`/api/v1/queue/deliveries?recipient=${ben.address}&state=queued`);
    assert.deepEqual(
      waiting.items.map((row: { messageId: string; dueAt: string }) => [row.messageId, Date.parse(row.dueAt)]),
      [[id, sendAt]],
    );
    assert.deepEqual(await allIn(ben), []);
    const { receivedAt } = await arrived(ben, 'later');
    assert.ok(Date.now() >= sendAt, 'not before its time');
    assert.ok(Date.parse(receivedAt) <= Date.now());
  });

  it('one that is held waits for its release, one that is cancelled never arrives', async () => {
    const soon = new Date(Date.now() + 3_000).toISOString();
    const held = await sent(ann, { to: [{ email: ben.address }], subject: 'held', sendAt: soon });
    const cancelled = await sent(ann, { to: [{ email: ben.address }], subject: 'cancelled', sendAt: soon });
    const rowOf = async (messageId: string) => {
      const { items } = await admin.get(`/api/v1/queue/deliveries?recipient=${ben.address}`);
      return items.find((row: { messageId: string }) => row.messageId === messageId);
    };
    await until('both are in the queue', 5_000, async () => {
      const rows = await Promise.all([held, cancelled].map(({ id }) => rowOf(id)));
      return rows.every((row) => row !== undefined);
    });
    const steer = (id: string, action: string) => admin.request('POST', `/api/v1/queue/deliveries/${id}/${action}`);
    const [heldId, cancelledId] = [(await rowOf(held.id)).id, (await rowOf(cancelled.id)).id];
    assert.equal((await steer(heldId, 'hold')).status, 200);
    assert.equal((await steer(cancelledId, 'cancel')).status, 200);
    await sent(ann, {
      to: [{ email: ben.address }],
      subject: 'after both',
      sendAt: new Date(Date.now() + 3_500).toISOString(),
    });
    await arrived(ben, 'after both');
    assert.deepEqual(
      (await allIn(ben)).map(({ subject }) => subject),
      ['after both', 'later'],
    );
    assert.equal((await steer(heldId, 'release')).status, 200);
    await arrived(ben, 'held');
    assert.equal((await rowOf(cancelled.id)).state, 'cancelled');
    assert.equal((await steer(cancelledId, 'retry')).status, 409);
    await queueIsDone(admin);
    assert.ok((await allIn(ben)).every(({ subject }) => subject !== 'cancelled'));
  });

  it('an answer is in the thread of what it answers, on both sides', async () => {
    const first = await sent(ann, { to: [{ email: ben.address }], subject: 'Lunch?', text: 'Today?' });
    const atBen = await arrived(ben, 'Lunch?');
    const answer = await sent(ben, { to: [{ email: ann.address }], subject: 'Re: Lunch?', inReplyTo: first.messageId });
    const atAnn = await ann.get(`${mine}/messages/${(await arrived(ann, 'Re: Lunch?')).id}`);
    assert.deepEqual([atAnn.inReplyTo, atAnn.messageId], [[first.messageId], answer.messageId]);
    const annsOwn = await ann.get(`${mine}/messages/${(await arrived(ann, 'Lunch?', { mailbox: 'sent' })).id}`);
    assert.equal(atAnn.threadId, annsOwn.threadId);
    const bensOwn = await ben.get(`${mine}/messages/${(await arrived(ben, 'Re: Lunch?', { mailbox: 'sent' })).id}`);
    const bensFirst = await ben.get(`${mine}/messages/${atBen.id}`);
    assert.equal(bensOwn.threadId, bensFirst.threadId);
    const other = await sent(ann, { to: [{ email: ben.address }], subject: 'Something else' });
    assert.notEqual(other.messageId, first.messageId);
    const elsewhere = await ben.get(`${mine}/messages/${(await arrived(ben, 'Something else')).id}`);
    assert.notEqual(elsewhere.threadId, bensFirst.threadId);
  });

  it('B17: an address is the same in every spelling: capitals, decomposed letters, the domain in A-labels', async () => {
    assert.equal((await admin.request('POST', '/api/v1/domains', { name: 'Bücher.test' })).status, 201);
    const account = await createAccount(waypost.api, waypost.admin, 'Jörg@bücher.test');
    const spellings = [
      'jörg@bücher.test',
      'JÖRG@BÜCHER.TEST',
      'jo\u0308rg@bu\u0308cher.test',
      'jörg@xn--bcher-kva.test',
    ];
    const { client } = await SmtpClient.connect(waypost.ports.mx);
    await client.command('EHLO a.test');
    for (const [n, spelling] of spellings.entries()) {
      assert.equal((await client.command('MAIL FROM:<c@sender.test> SMTPUTF8')).code, 250);
      const { code, text } = await client.command(Buffer.from(`RCPT TO:<${spelling}>`).toString('latin1'));
      assert.equal(code, 250, `${spelling}: ${text}`);
      await client.command('DATA');
      client.write(`Subject: spelling ${n}\r\n\r\nx\r\n.\r\n`);
      assert.equal((await client.reply()).code, 250);
    }
    await client.quit();
    for (const n of spellings.keys()) await arrived(account, `spelling ${n}`);
    for (const address of spellings) {
      assert.equal((await apiClient(waypost.api, { address, password: account.password }).get(mine)).id, account.id);
      const taken = await admin.request('POST', '/api/v1/accounts', { address, password: 'long enough 1' });
      assert.equal(taken.status, 409, address);
    }
  });

  it('LMTP takes mail for each recipient on its own', async () => {
    const { client } = await SmtpClient.connect(waypost.ports.lmtp);
    await client.command('LHLO relay.test');
    await client.command('MAIL FROM:<c@sender.test>');
    assert.equal((await client.command(`RCPT TO:<${ann.address}>`)).code, 250);
    assert.equal((await client.command('RCPT TO:<nobody@example.test>')).code, 550);
    assert.equal((await client.command(`RCPT TO:<${ben.address}>`)).code, 250);
    await client.command('DATA');
    client.write('Subject: by LMTP\r\n\r\nx\r\n.\r\n');
    assert.deepEqual([(await client.reply()).code, (await client.reply()).code], [250, 250]);
    await client.quit();
    await arrived(ann, 'by LMTP');
    await arrived(ben, 'by LMTP');
  });

  it('wrong passwords are limited for the account that they were tried on, with a time to wait', async () => {
    const cleo = await createAccount(waypost.api, waypost.admin, 'cleo@example.test');
    const guess = apiClient(waypost.api, { address: cleo.address, password: 'a wrong guess' });
    let limited: Awaited<ReturnType<typeof guess.request>> | undefined;
    for (let n = 0; n < 12 && limited === undefined; n += 1) {
      const answer = await guess.request('GET', mine);
      if (answer.status === 429) limited = answer;
      else assert.equal(answer.status, 401);
    }
    assert.ok(limited !== undefined, 'after a dozen guesses');
    assert.equal(limited.body.code, 'loginLimited');
    assert.ok(Number(limited.headers.get('retry-after')) > 0);
    assert.equal((await ann.request('GET', mine)).status, 200, 'others log in as before');
    await until('the guesses are counted', 2_000, async () => {
      const metrics = await waypost.metrics();
      return /^waypost_login_failures_total(?:\{[^}]*\})? [1-9]/m.test(metrics);
    });
  });
});
