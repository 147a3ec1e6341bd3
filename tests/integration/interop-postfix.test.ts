import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type Postfix, postfixInstalled, startPostfix } from '../bench/peers/postfix.ts';
import { createAccount } from '../support/api-client.ts';
import { freePorts } from '../support/free-ports.ts';
import { outgoing, textMessage } from '../support/outgoing.ts';
import { arrived, rawOf } from '../support/reading.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { startWaypost, type WaypostProcess } from '../support/waypost-process.ts';

const usable = postfixInstalled() && process.getuid?.() === 0;
const skip = usable ? false : 'needs Postfix, and root to start it';

describe('with Postfix as the other server', { skip }, () => {
  let waypost: WaypostProcess;
  let receiving: Postfix | undefined;
  let sending: Postfix | undefined;
  let port = 0;
  let ann: Awaited<ReturnType<typeof createAccount>>;
  let out: ReturnType<typeof outgoing>;

  before(async () => {
    [port = 0] = await freePorts(1);
    waypost = await startWaypost({
      WAYPOST_SAMPLE_ACCOUNTS: 'false',
      WAYPOST_ROUTES: `postfix.test=smtp://127.0.0.1:${port}`,
    });
    out = outgoing(waypost);
    ann = await createAccount(waypost.api, waypost.admin, 'ann@example.test');
    receiving = await startPostfix(undefined, port);
    sending = await startPostfix(`inet:127.0.0.1:${waypost.ports.lmtp}`);
  });
  after(async () => {
    await waypost?.dispose();
    await Promise.all([receiving?.stop(), sending?.stop()]);
  });

  const send = (recipient: string, subject: string) =>
    out.submit(ann, [recipient], textMessage(ann.address, subject, '.dot\r\ntext\r\n'));

  it('what a user submits is queued by Postfix, and the trace shows its reply', async () => {
    await send('first@postfix.test', 'to Postfix');
    const { id } = await out.settled('first@postfix.test', 'delivered');
    assert.match(await out.waypost('queue', 'show', id), /250 2\.0\.0 Ok: queued as/);
  });

  it('B11: Postfix is stopped: the mail is deferred with the reason; started again, `waypost queue retry` has it delivered', async () => {
    await receiving?.stop();
    receiving = undefined;
    await send('second@postfix.test', 'while Postfix is down');
    const { id } = await out.settled('second@postfix.test', 'deferred', 30_000);
    assert.match(await out.waypost('queue', 'list', '--state', 'deferred'), /second@postfix\.test/);
    assert.match(await out.waypost('queue', 'show', id), /ECONNREFUSED|refused/);
    receiving = await startPostfix(undefined, port);
    await out.waypost('queue', 'retry', id);
    await out.settled('second@postfix.test', 'delivered', 30_000);
    assert.match(await out.waypost('queue', 'show', id), /250 2\.0\.0 Ok: queued as/);
  });

  it('what Postfix has for a user here arrives in the mailbox', async () => {
    const { client } = await SmtpClient.connect(sending!.port);
    await client.command('EHLO client.test');
    const { final } = await client.send(
      'far@sender.test',
      [ann.address],
      textMessage('far@sender.test', 'from Postfix'),
    );
    assert.equal(final.code, 250, final.text);
    await client.quit();
    const { id } = await arrived(ann, 'from Postfix', { timeoutMs: 30_000 });
    const raw = (await rawOf(ann, id)).toString();
    assert.match(raw, /^Return-Path: <far@sender\.test>\r$/m);
    assert.match(raw, /^Received: .*\r\n(?:[ \t].*\r\n)*?.*Postfix/m);
  });
});
