import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { createTransport } from 'nodemailer';
import { createAccount } from '../support/api-client.ts';
import { arrived, mine, rawOf, sha256 } from '../support/reading.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { startSystem, type System } from '../support/system.ts';

const mib = 1024 * 1024;

describe('a message of 25 MB', () => {
  let waypost: System;
  let ann: Awaited<ReturnType<typeof createAccount>>;

  before(async () => {
    waypost = await startSystem({ WAYPOST_SAMPLE_ACCOUNTS: 'false' });
    ann = await createAccount(waypost.api, waypost.admin, 'ann@example.test');
  });
  after(() => waypost.dispose());

  it('comes in over SMTP and goes out raw and as its attachment, byte for byte', async () => {
    const content = randomBytes(18 * mib);
    const mx = createTransport({ host: '127.0.0.1', port: waypost.ports.mx, ignoreTLS: true });
    await mx.sendMail({
      from: 'c@sender.test',
      to: ann.address,
      subject: 'large',
      text: 'see attachment',
      attachments: [{ filename: 'large.bin', content }],
    });
    mx.close();
    const { id, size } = await arrived(ann, 'large', { timeoutMs: 20_000 });
    assert.ok(size > 24 * mib, `${size}`);
    assert.equal((await rawOf(ann, id)).length, size);
    assert.equal(sha256(await ann.bytes(`${mine}/messages/${id}/attachments/0`)), sha256(content));
  });

  it('is sent over HTTP and read as its attachment', async () => {
    const content = randomBytes(18 * mib);
    const answer = await ann.request('POST', `${mine}/messages`, {
      to: [{ email: ann.address }],
      subject: 'large by HTTP',
      attachments: [{ name: 'large.bin', content: content.toString('base64') }],
    });
    assert.equal(answer.status, 202, JSON.stringify(answer.body));
    const { id } = await arrived(ann, 'large by HTTP', { timeoutMs: 20_000 });
    assert.equal(sha256(await ann.bytes(`${mine}/messages/${id}/attachments/0`)), sha256(content));
  });

  it('four at once leave the memory of the process bounded', async () => {
    const line = `${'x'.repeat(76)}\r\n`;
    const body = line.repeat((25 * mib) / line.length);
    const send = async (n: number): Promise<void> => {
      const { client } = await SmtpClient.connect(waypost.ports.mx);
      await client.command('EHLO a.test');
      const { final } = await client.send('c@sender.test', [ann.address], `Subject: large ${n}\r\n\r\n${body}`);
      assert.equal(final.code, 250);
      await client.quit();
    };
    await Promise.all([1, 2, 3, 4].map(send));
    for (const n of [1, 2, 3, 4]) {
      const { id, size } = await arrived(ann, `large ${n}`, { timeoutMs: 20_000 });
      assert.equal((await rawOf(ann, id)).length, size);
    }
    const peakMb = Math.max(...waypost.pids().map(peakRssMb));
    assert.ok(peakMb < 750, `the process has had ${peakMb} MB`);
  });

  it('past WAYPOST_MAX_MESSAGE_BYTES is refused with 552 before and during DATA, and the session goes on', async () => {
    const { client } = await SmtpClient.connect(waypost.ports.mx);
    await client.command('EHLO a.test');
    assert.equal((await client.command(`MAIL FROM:<c@sender.test> SIZE=${60 * mib}`)).code, 552);
    const { final } = await client.send(
      'c@sender.test',
      [ann.address],
      `Subject: x\r\n\r\n${`${'y'.repeat(998)}\r\n`.repeat(54_000)}`,
    );
    assert.equal(final.code, 552, final.text);
    assert.equal((await client.send('c@sender.test', [ann.address], 'Subject: small\r\n\r\nx\r\n')).final.code, 250);
    await client.quit();
    await arrived(ann, 'small');
  });
});

/** The most that the process ever had, by Linux. */
function peakRssMb(pid: number): number {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1024;
}
