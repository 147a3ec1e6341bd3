import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { createTransport } from 'nodemailer';
import { apiClient, createAccount } from '../support/api-client.ts';
import { openEventStream } from '../support/event-stream.ts';
import { arrived, mine, rawOf, sha256 } from '../support/reading.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { implicitTls, plainLogin, startTls } from '../support/smtp-tls.ts';
import { startSystem, type System } from '../support/system.ts';

type Account = Awaited<ReturnType<typeof createAccount>>;

describe('clients and their mailbox', () => {
  let waypost: System;
  let ann: Account;
  let mx: ReturnType<typeof createTransport>;

  before(async () => {
    waypost = await startSystem({ WAYPOST_SAMPLE_ACCOUNTS: 'false' });
    ann = await createAccount(waypost.api, waypost.admin, 'ann@example.test');
    mx = createTransport({ host: '127.0.0.1', port: waypost.ports.mx, ignoreTLS: true });
  });
  after(async () => {
    mx.close();
    await waypost.dispose();
  });

  it('B3: nothing is readable before authentication, whatever path is asked', async () => {
    const { paths } = JSON.parse(await (await fetch(`${waypost.api}/api/openapi.json`)).text());
    let asked = 0;
    for (const [path, operations] of Object.entries(paths)) {
      for (const method of Object.keys(operations as object)) {
        const url = waypost.api + path.replace('{account}', ann.id).replace(/\{\w+\}/g, ann.id);
        const answer = await fetch(url, {
          method: method.toUpperCase(),
          ...(method === 'get' ? {} : { body: '{}', headers: { 'content-type': 'application/json' } }),
        });
        const body = JSON.parse(await answer.text());
        assert.deepEqual([answer.status, body.code], [401, 'unauthenticated'], `${method} ${path}`);
        asked += 1;
      }
    }
    assert.ok(asked > 25, `${asked} operations`);
  });

  it('B3: a wrong password, an unknown user and a disabled account get the same answer over HTTP', async () => {
    const gone = await createAccount(waypost.api, waypost.admin, 'gone@example.test');
    const admin = apiClient(waypost.api, waypost.admin);
    assert.equal((await admin.request('PATCH', `/api/v1/accounts/${gone.id}`, { enabled: false })).status, 200);
    const answers = new Set<string>();
    for (const [address, password] of [
      [ann.address, 'a wrong password'],
      ['nobody@example.test', 'a wrong password'],
      ['nobody@elsewhere.test', 'a wrong password'],
      ['not an address', 'a wrong password'],
      [gone.address, gone.password],
    ] as const) {
      const { status, headers, body } = await apiClient(waypost.api, { address, password }).request(
        'GET',
        `${mine}/messages`,
      );
      answers.add(JSON.stringify({ status, body, headers: [...headers].filter(([name]) => name !== 'date') }));
    }
    assert.equal(answers.size, 1, [...answers].join('\n'));
    assert.match([...answers][0]!, /"status":401/);
  });

  it('B3: AUTH is neither offered nor taken before TLS, and a wrong password and an unknown user get the same answer', async () => {
    const { client: open } = await SmtpClient.connect(waypost.ports.submission);
    const offered = (await open.command('EHLO client.test')).text;
    assert.match(offered, /STARTTLS/);
    assert.doesNotMatch(offered, /AUTH/);
    assert.equal((await open.command(`AUTH PLAIN ${plainLogin(ann.address, ann.password)}`)).code, 538);
    assert.equal((await open.command('MAIL FROM:<ann@example.test>')).code, 530);
    open.destroy();

    const secure = await startTls(waypost.ports.submission);
    const wrong = await secure.command(`AUTH PLAIN ${plainLogin(ann.address, 'a wrong password')}`);
    const unknown = await secure.command(`AUTH PLAIN ${plainLogin('nobody@example.test', 'a wrong password')}`);
    assert.equal(wrong.code, 535);
    assert.equal(unknown.text, wrong.text);
    assert.equal((await secure.command(`AUTH PLAIN ${plainLogin(ann.address, ann.password)}`)).code, 235);
    secure.destroy();

    const { client: onMx } = await SmtpClient.connect(waypost.ports.mx);
    assert.doesNotMatch((await onMx.command('EHLO client.test')).text, /AUTH/);
    assert.ok((await onMx.command(`AUTH PLAIN ${plainLogin(ann.address, ann.password)}`)).code >= 500);
    onMx.destroy();
    const implicit = await implicitTls(waypost.ports.submissions);
    assert.equal((await implicit.command(`AUTH PLAIN ${plainLogin(ann.address, ann.password)}`)).code, 235);
    implicit.destroy();
  });

  it('B16: a picture sent by a mail client arrives byte for byte through attachments/{n}', async () => {
    const picture = readFileSync(new URL('../fixtures/mail/picture.png', import.meta.url));
    const noise = randomBytes(300_000);
    await mx.sendMail({
      from: 'c@sender.test',
      to: ann.address,
      subject: 'B16 picture',
      text: 'see the attachments',
      attachments: [
        { filename: 'picture.png', content: picture },
        { filename: 'noise.bin', content: noise },
      ],
    });
    const { id, hasAttachment } = await arrived(ann, 'B16 picture');
    assert.equal(hasAttachment, true);
    const { attachments } = await ann.get(`${mine}/messages/${id}`);
    assert.deepEqual(
      attachments.map(({ n, name, type, size }: Record<string, unknown>) => ({ n, name, type, size })),
      [
        { n: 0, name: 'picture.png', type: 'image/png', size: picture.length },
        { n: 1, name: 'noise.bin', type: 'application/octet-stream', size: noise.length },
      ],
    );
    assert.equal(sha256(await ann.bytes(`${mine}/messages/${id}/attachments/0`)), sha256(picture));
    assert.equal(sha256(await ann.bytes(`${mine}/messages/${id}/attachments/1`)), sha256(noise));
  });

  it('B17: a subject, names and a file name beyond ASCII go round', async () => {
    const subject = 'B17 Grüße aus Kraków – 今日は 🌊';
    await mx.sendMail({
      from: { name: 'Zoë Łukasz', address: 'zoe@sender.test' },
      to: { name: 'Änn, die Erste', address: ann.address },
      subject,
      text: 'Schöne Grüße',
      attachments: [{ filename: 'Übersicht – 表.txt', content: 'größer' }],
    });
    const { id } = await arrived(ann, subject);
    const message = await ann.get(`${mine}/messages/${id}`);
    assert.deepEqual(message.from, [{ name: 'Zoë Łukasz', email: 'zoe@sender.test' }]);
    assert.deepEqual(message.to, [{ name: 'Änn, die Erste', email: ann.address }]);
    assert.equal(message.text.trim(), 'Schöne Grüße');
    assert.equal(message.attachments[0].name, 'Übersicht – 表.txt');
    assert.equal((await ann.bytes(`${mine}/messages/${id}/attachments/0`)).toString(), 'größer');
  });

  it('B17: an address beyond ASCII has an account, logs in, gets mail with SMTPUTF8, and none without', async () => {
    const joerg = await createAccount(waypost.api, waypost.admin, 'jörg@example.test');
    await mx.sendMail({ from: 'müller@sender.test', to: 'jörg@example.test', subject: 'B17 hallo Jörg', text: 'ja' });
    const { id } = await arrived(joerg, 'B17 hallo Jörg');
    const raw = (await rawOf(joerg, id)).toString();
    assert.match(raw, /^Return-Path: <müller@sender\.test>\r\nReceived: [^]*? with UTF8SMTP/);
    assert.deepEqual((await joerg.get(`${mine}/messages/${id}`)).to, [{ name: null, email: 'jörg@example.test' }]);

    const { client } = await SmtpClient.connect(waypost.ports.mx);
    await client.command('EHLO a.test');
    await client.command('MAIL FROM:<c@sender.test>');
    const address = Buffer.from('jörg@example.test').toString('latin1');
    assert.equal((await client.command(`RCPT TO:<${address}>`)).code, 553);
    await client.quit();
  });

  it('B18: mail arrives without the receiver doing anything, and a waiting reader is told within 2 s of the 250', async () => {
    const reader = await openEventStream(waypost.api, ann);
    const { state } = await reader.next(2_000);
    await mx.sendMail({ from: 'c@sender.test', to: ann.address, subject: 'B18 first', text: 'wake up' });
    const told = await reader.next(2_000);
    const changes = await ann.get(`${mine}/changes?since=${state}`);
    assert.equal(changes.created.length, 1, 'what the reader is told of can be read at once');
    assert.equal((await ann.get(`${mine}/messages/${changes.created[0]}`)).subject, 'B18 first');
    assert.equal(told.id, told.state);
    reader.close();
  });

  it('B18: Last-Event-ID resumes: an event at once when something has changed meanwhile, none before the next change when not', async () => {
    const first = await openEventStream(waypost.api, ann);
    const { id: lastSeen } = await first.next(2_000);
    first.close();
    await mx.sendMail({ from: 'c@sender.test', to: ann.address, subject: 'B18 while away', text: 'x' });
    await arrived(ann, 'B18 while away');
    const second = await openEventStream(waypost.api, ann, lastSeen);
    const caughtUp = await second.next(2_000);
    assert.notEqual(caughtUp.id, lastSeen);
    second.close();

    const third = await openEventStream(waypost.api, ann, caughtUp.id);
    await mx.sendMail({ from: 'c@sender.test', to: ann.address, subject: 'B18 next', text: 'x' });
    const next = await third.next(2_000);
    assert.notEqual(next.id, caughtUp.id, 'the state that was known is not told again');
    third.close();
  });
});
