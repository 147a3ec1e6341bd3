import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createTransport } from 'nodemailer';
import { type ApiClient, apiClient, createAccount } from '../support/api-client.ts';
import { Ledger, received } from '../support/ledger.ts';
import { allIn, arrived, mine, queueIsDone, rawOf, sha256 } from '../support/reading.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { until } from '../support/until.ts';
import { startSystem, type System } from '../support/system.ts';

type Account = Awaited<ReturnType<typeof createAccount>>;

describe('mail on its way', () => {
  let waypost: System;
  let admin: ApiClient;
  let ann: Account;
  let ben: Account;
  let server: SmtpClient;

  before(async () => {
    waypost = await startSystem({ WAYPOST_SAMPLE_ACCOUNTS: 'false' });
    admin = apiClient(waypost.api, waypost.admin);
    ann = await createAccount(waypost.api, waypost.admin, 'ann@example.test');
    ben = await createAccount(waypost.api, waypost.admin, 'ben@example.test');
    ({ client: server } = await SmtpClient.connect(waypost.ports.mx));
    assert.equal((await server.command('EHLO a.test')).code, 250);
  });
  after(async () => {
    server.destroy();
    await waypost.dispose();
  });

  it('B1: a message accepted for a local recipient is in that mailbox exactly once, by each way of reading', async () => {
    const start = await ann.get(`${mine}/mailboxes`);
    const message = 'From: c@sender.test\r\nTo: ann@example.test\r\nSubject: B1 once\r\n\r\nA wombat dug here.\r\n';
    const { final } = await server.send('c@sender.test', ['ann@example.test', 'ANN@Example.Test'], message);
    assert.equal(final.code, 250);
    const { id } = await arrived(ann, 'B1 once');

    assert.equal((await ann.get(`${mine}/messages/${id}`)).text.trim(), 'A wombat dug here.');
    assert.equal(received(await rawOf(ann, id)).toString(), message);
    const inbox = (await ann.get(`${mine}/mailboxes`)).items.find((box: { role: string }) => box.role === 'inbox');
    assert.deepEqual([inbox.totalEmails, inbox.unreadEmails], [1, 1]);
    const changes = await ann.get(`${mine}/changes?since=${start.state}`);
    assert.deepEqual([changes.created, changes.updated, changes.destroyed], [[id], [], []]);
    await until('the search finds it', 5_000, async () => (await allIn(ann, '&text=wombat')).length > 0);
    assert.deepEqual(await ids(ann, '&text=wombat'), [id]);

    await queueIsDone(admin);
    assert.deepEqual(await ids(ann, ''), [id]);
    assert.deepEqual(await ids(ben, ''), []);
  });

  it('B2: a user submits, the other user reads: one Received, of our hop, and one Return-Path at the top', async () => {
    const transport = createTransport({
      host: '127.0.0.1',
      port: waypost.ports.submission,
      requireTLS: true,
      tls: { rejectUnauthorized: false },
      auth: { user: ann.address, pass: ann.password },
    });
    await transport.sendMail({ from: ann.address, to: ben.address, subject: 'B2 submitted', text: 'Hello Ben' });
    transport.close();
    const raw = (await rawOf(ben, (await arrived(ben, 'B2 submitted')).id)).toString();
    assert.match(raw, /^Return-Path: <ann@example\.test>\r\nReceived: from /);
    assert.deepEqual(countFields(raw), { returnPaths: 1, received: 1 });
    assert.match(
      unfolded(raw),
      /^Received: from \S+ \(\[127\.0\.0\.1\]\) by mail\.example\.test with ESMTPSA .*for <ben@example\.test>;/m,
    );
  });

  it('B2: mail that another server relays has one Received for each hop, the last hop first, and one Return-Path at the top', async () => {
    const hopOfA =
      'Received: from laptop (unknown [192.0.2.9])\r\n\tby a.test with ESMTPSA id 1; Thu, 1 Jan 2026 00:00:00 +0000\r\n';
    const message = `${hopOfA}From: c@sender.test\r\nSubject: B2 relayed\r\n\r\nHello\r\n`;
    assert.equal((await server.send('c@sender.test', [ben.address], message)).final.code, 250);
    const raw = (await rawOf(ben, (await arrived(ben, 'B2 relayed')).id)).toString();
    assert.deepEqual(countFields(raw), { returnPaths: 1, received: 2 });
    assert.match(
      unfolded(raw),
      /^Return-Path: <c@sender\.test>\r\nReceived: from a\.test .* by mail\.example\.test with ESMTP .*\r\nReceived: from laptop .* by a\.test/,
    );
  });

  it('B8: the bytes are the same at both ends, lines that begin with dots too', async () => {
    const lines = [
      '.',
      '..',
      '...three',
      '. a space',
      '.\t',
      'no dot',
      '',
      ' .',
      'ü as octets \xfc\xfe\xff',
      'x'.repeat(998),
    ];
    const body = Array.from({ length: 40 }, () => lines.join('\r\n')).join('\r\n');
    const message = `Subject: B8 dots\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\r\n${body}\r\n`;
    assert.equal((await server.send('c@sender.test', [ann.address], message)).final.code, 250);
    const raw = await rawOf(ann, (await arrived(ann, 'B8 dots')).id);
    assert.equal(sha256(received(raw)), sha256(Buffer.from(message, 'latin1')));
  });

  it('B8: what is cut before its final dot is not delivered, not even the part that came', async () => {
    for (const part of [
      'Subject: B8 cut\r\n',
      'Subject: B8 cut\r\n\r\nhalf a bo',
      'Subject: B8 cut\r\n\r\nall of it\r\n',
      'Subject: B8 cut\r\n\r\nall of it\r\n.',
    ]) {
      const { client } = await SmtpClient.connect(waypost.ports.mx);
      await client.command('HELO a.test');
      await client.command('MAIL FROM:<c@sender.test>');
      await client.command(`RCPT TO:<${ann.address}>`);
      assert.equal((await client.command('DATA')).code, 354);
      client.write(part);
      await new Promise((resolve) => client.socket.end(() => resolve(undefined)));
      client.destroy();
    }
    await sessionsHaveEnded(1);
    await queueIsDone(admin);
    const subjects = (await allIn(ann)).map(({ subject }) => subject);
    assert.ok(!subjects.includes('B8 cut'), subjects.join());
  });

  it('B8: what is cut around its final reply is there once or not at all, and exactly once when it was acknowledged', async () => {
    const cleo = await createAccount(waypost.api, waypost.admin, 'cleo@example.test');
    const ledger = new Ledger();
    const cut = async (turn: number): Promise<void> => {
      const { client } = await SmtpClient.connect(waypost.ports.mx);
      await client.command('EHLO a.test');
      await client.command('MAIL FROM:<c@sender.test>');
      await client.command(`RCPT TO:<${cleo.address}>`);
      await client.command('DATA');
      const { token, message } = ledger.attempt([cleo.address], turn % 5 === 0 ? 300_000 : 2_000);
      client.socket.write(`${message.replace(/^\./gm, '..')}.\r\n`);
      if (turn % 4 === 0) client.destroy();
      else if (turn % 4 === 1) client.socket.end();
      else if (turn % 4 === 2) client.socket.resetAndDestroy();
      if (turn % 2 === 0) return;
      const reply = await client.reply();
      if (reply.code === 250) ledger.acknowledged(token);
      client.destroy();
    };
    await Promise.all(Array.from({ length: 40 }, (_, turn) => cut(turn)));
    assert.equal(ledger.acknowledgedCount, 20, 'those that waited for the reply, half closed or not, have it');
    await sessionsHaveEnded(1);
    await queueIsDone(admin);
    assert.deepEqual(await ledger.audit(cleo.address, cleo), []);
  });

  /** All sessions but ours are over on the server's side too, so that what they sent is decided. */
  async function sessionsHaveEnded(left: number): Promise<void> {
    await until('the cut sessions have ended', 10_000, async () => {
      const metrics = await waypost.metrics();
      return metrics.includes(`waypost_smtp_connections{listener="mx"} ${left}\n`);
    });
  }
});

const ids = async (client: ApiClient, query: string): Promise<string[]> =>
  (await allIn(client, query)).map(({ id }) => id);

const headerOf = (raw: string): string => raw.slice(0, raw.indexOf('\r\n\r\n') + 2);

const unfolded = (raw: string): string => headerOf(raw).replace(/\r\n[ \t]+/g, ' ');

function countFields(raw: string): { returnPaths: number; received: number } {
  const count = (field: RegExp): number => headerOf(raw).match(field)?.length ?? 0;
  return { returnPaths: count(/^return-path:/gim), received: count(/^received:/gim) };
}
