import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inlineLimitBytes } from '../../libs/blobs/port.ts';
import { type ApiClient, apiClient, createAccount } from '../support/api-client.ts';
import { received } from '../support/ledger.ts';
import { allIn, arrived, mine, queueIsDone, rawOf, sha256 } from '../support/reading.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { startSystem, type System } from '../support/system.ts';

type Account = Awaited<ReturnType<typeof createAccount>>;

const corpus = fileURLToPath(new URL('../fixtures/mail', import.meta.url));

describe('messages of all kinds', () => {
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

  it('of several recipients those that are there get it, and each of the others has its own refusal', async () => {
    const { rcpt, final } = await server.send(
      'c@sender.test',
      ['ann@example.test', 'nobody@example.test', 'd@elsewhere.test', 'not an address', 'ben@example.test'],
      'Subject: some of them\r\n\r\nhello\r\n',
    );
    assert.deepEqual(
      rcpt.map(({ text }) => text.slice(0, 9)),
      ['250 2.1.5', '550 5.1.1', '550 5.7.1', '501 5.1.3', '250 2.1.5'],
    );
    assert.equal(final.code, 250);
    await arrived(ann, 'some of them');
    await arrived(ben, 'some of them');
  });

  it('8-bit bodies are kept octet for octet and read as their charset says', async () => {
    const bodies: [string, Buffer, string][] = [
      ['utf-8', Buffer.from('Grüße, 世界'), 'Grüße, 世界'],
      ['iso-8859-1', Buffer.from('Gr\xfc\xdfe', 'latin1'), 'Grüße'],
      ['koi8-r', Buffer.from([0xf0, 0xd2, 0xc9, 0xd7, 0xc5, 0xd4]), 'Привет'],
    ];
    for (const [charset, body, text] of bodies) {
      const header = `Subject: 8-bit ${charset}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=${charset}\r\nContent-Transfer-Encoding: 8bit\r\n\r\n`;
      const message = `${header}${body.toString('latin1')}\r\n`;
      assert.equal((await server.command('MAIL FROM:<c@sender.test> BODY=8BITMIME')).code, 250);
      await server.command(`RCPT TO:<${ann.address}>`);
      await server.command('DATA');
      server.write(`${message}.\r\n`);
      assert.equal((await server.reply()).code, 250);
      const { id } = await arrived(ann, `8-bit ${charset}`);
      assert.equal((await ann.get(`${mine}/messages/${id}`)).text.trim(), text);
      assert.equal(sha256(received(await rawOf(ann, id))), sha256(Buffer.from(message, 'latin1')));
    }
  });

  it('every size around the limit between row and blob arrives whole', async () => {
    const cleo = await createAccount(waypost.api, waypost.admin, 'cleo@example.test');
    const hashes = new Map<string, string>();
    for (const overBytes of [-300, -1, 0, 1, 2, 100, 20_000, 70_000, 200_000]) {
      const subject = `size ${overBytes}`;
      const header = `Subject: ${subject}\r\n\r\n`;
      const bodyBytes = inlineLimitBytes + overBytes - header.length;
      const message = `${header}${'0123456789abcdef\r\n'
        .repeat(bodyBytes / 18 + 1)
        .slice(0, bodyBytes - 4)
        .replace(/[\r\n]/g, '-')
        .replace(/(.{70})../g, '$1\r\n')}\r\n\r\n`;
      assert.equal(message.length, inlineLimitBytes + overBytes);
      hashes.set(subject, sha256(message));
      assert.equal((await server.send('c@sender.test', [cleo.address], message)).final.code, 250);
    }
    await queueIsDone(admin);
    const kept = await allIn(cleo);
    assert.equal(kept.length, hashes.size);
    for (const { id, subject, size } of kept) {
      const raw = await rawOf(cleo, id);
      assert.equal(raw.length, size, subject);
      assert.equal(sha256(received(raw)), hashes.get(subject), subject);
    }
  });

  it('hostile and broken MIME is taken, listed, shown and read raw as it came', async () => {
    const dora = await createAccount(waypost.api, waypost.admin, 'dora@example.test');
    const files = readdirSync(corpus).filter((name) => name.endsWith('.eml'));
    const sent = new Map<string, string>();
    for (const name of files) {
      const bytes = readFileSync(join(corpus, name)).toString('latin1');
      const message = bytes.endsWith('\r\n') ? bytes : `${bytes}\r\n`;
      const { final } = await server.send('c@sender.test', [dora.address], message);
      if (/[^\r]\n|\r[^\n]/.test(message)) {
        assert.deepEqual([final.code, final.text.includes('5.6.0')], [550, true], name);
        continue;
      }
      assert.equal(final.code, 250, `${name}: ${final.text}`);
      sent.set(sha256(Buffer.from(message, 'latin1')), name);
    }
    for (const [name, message] of madeUp) {
      assert.equal((await server.send('c@sender.test', [dora.address], message)).final.code, 250, name);
      sent.set(sha256(Buffer.from(message, 'latin1')), name);
    }
    assert.ok(sent.size > 20, `${sent.size}`);
    await queueIsDone(admin, 30_000);
    const kept = await allIn(dora);
    assert.equal(kept.length, sent.size);
    for (const { id, size } of kept) {
      const raw = await rawOf(dora, id);
      assert.equal(raw.length, size);
      const name = sent.get(sha256(received(raw)));
      assert.ok(name !== undefined, `the bytes of ${id} differ from all that were sent`);
      const shown = await dora.get(`${mine}/messages/${id}`);
      for (const { n } of shown.attachments.slice(0, 3)) await dora.bytes(`${mine}/messages/${id}/attachments/${n}`);
      sent.delete(sha256(received(raw)));
    }
    assert.equal(sent.size, 0, [...sent.values()].join());
    assert.equal(waypost.output().includes('"level":"error"'), false, waypost.output());
  });
});

/** Past what a parser goes along with. */
const madeUp: readonly [string, string][] = [
  ['nothing but an empty line', '\r\n'],
  ['only a dot in the body', 'Subject: dot\r\n\r\n.\r\n'],
  ['a header without a body', 'Subject: no body\r\n'],
  ['10,000 header fields', `${'X-Many: 1\r\n'.repeat(10_000)}\r\nbody\r\n`],
  ['a header line of 60,000 octets', `Subject: ${'a'.repeat(60_000)}\r\n\r\nbody\r\n`],
  ['1,000 nested multiparts', nested(1_000)],
  ['10,000 parts', `Content-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\nx\r\n'.repeat(10_000)}--b--\r\n`],
  ['a message in a message, 200 deep', `${'Content-Type: message/rfc822\r\n\r\n'.repeat(200)}Subject: in\r\n\r\nx\r\n`],
  [
    '20,000 addresses',
    `To: ${Array.from({ length: 4_000 }, (_, n) => `n${n}@example.test`).join(',\r\n ')}\r\n\r\nx\r\n`,
  ],
  ['nulls and control characters', 'Subject: \x00\x01\x02\x7f\r\nFrom: \x00@\x00\r\n\r\n\x00\x00\x1b[2J\r\n'],
  ['base64 that is none', 'Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!!====\x80\xff\r\n'],
  [
    'an unknown charset and an unknown encoding',
    'Content-Type: text/plain; charset=klingon\r\nContent-Transfer-Encoding: x-runes\r\n\r\nqapla\xff\r\n',
  ],
  [
    'a file name that is a path',
    'Content-Type: application/x; name="../../etc/passwd"\r\nContent-Disposition: attachment; filename="..\\..\\x\r\n\t\0.exe"\r\n\r\nx\r\n',
  ],
];

function nested(depth: number): string {
  let message = '';
  for (let level = 0; level < depth; level += 1) {
    message += `Content-Type: multipart/mixed; boundary=b${level}\r\n\r\n--b${level}\r\n`;
  }
  return `${message}\r\nat the bottom\r\n`;
}
