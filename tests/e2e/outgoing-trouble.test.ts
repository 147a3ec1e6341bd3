import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createAccount } from '../support/api-client.ts';
import { type DnsServer, startDns } from '../support/dns-server/server.ts';
import { freePorts } from '../support/free-ports.ts';
import { outgoing, textMessage } from '../support/outgoing.ts';
import { allIn, queueIsDone, rawOf } from '../support/reading.ts';
import { type Sink, startSink } from '../support/smtp-sink/sink.ts';
import { startSystem, type System } from '../support/system.ts';
import { until } from '../support/until.ts';

describe('mail to other servers that don’t take it', () => {
  let dns: DnsServer;
  let moody: Sink;
  let system: System;
  let out: ReturnType<typeof outgoing>;
  let ann: Awaited<ReturnType<typeof createAccount>>;
  /** Of servers that aren't up. */
  let downPort = 0;
  let laterPort = 0;
  let restingPort = 0;
  const sinks: Sink[] = [];

  before(async () => {
    dns = await startDns();
    moody = await startSink({
      rcpt: ({ recipient }) => (recipient.startsWith('nobody') ? '550 5.1.1 there is no such user' : undefined),
    });
    sinks.push(moody);
    [downPort = 0, laterPort = 0, restingPort = 0] = await freePorts(3);
    system = await startSystem({
      WAYPOST_SAMPLE_ACCOUNTS: 'false',
      WAYPOST_DNS_SERVERS: dns.address,
      WAYPOST_ALLOW_PRIVATE_DESTINATIONS: 'true',
      WAYPOST_SWEEP_INTERVAL: '500ms',
      WAYPOST_PARTITION_LEASE: '3s',
      WAYPOST_DELIVERY_LEASE: '5s',
      WAYPOST_ROUTES: [
        `moody.test=smtp://127.0.0.1:${moody.port}`,
        `down.test=smtp://127.0.0.1:${downPort}`,
        `resting.test=smtp://127.0.0.1:${restingPort}`,
        `later.test=smtp://127.0.0.1:${laterPort}?retry=1s`,
      ].join(','),
    });
    out = outgoing(system);
    ann = await createAccount(system.api, system.admin, 'ann@example.test');
  });
  after(async () => {
    await system?.dispose();
    await Promise.all([...sinks, dns].map(async (part) => part?.close()));
  });

  const send = (recipient: string, subject: string) =>
    out.submit(ann, [recipient], textMessage(ann.address, subject, 'X\r\n'));
  const takenBy = (sink: Sink, recipient: string): number =>
    sink.messages.filter(({ recipients }) => recipients.includes(recipient)).length;
  const reportsOf = async (recipient: string): Promise<string[]> => {
    const raw = await Promise.all((await allIn(ann, '&mailbox=inbox')).map(({ id }) => rawOf(ann, id)));
    return raw
      .map((bytes) => bytes.toString())
      .filter((text) => new RegExp(`^Final-Recipient: rfc822; ?${recipient}\r$`, 'im').test(text));
  };
  /** That the sender got one report of it, and no other comes. */
  const bounced = async (recipient: string): Promise<string> => {
    await until(`a report on ${recipient} is there`, 15_000, async () => (await reportsOf(recipient)).length > 0);
    await queueIsDone(out.admin);
    const reports = await reportsOf(recipient);
    assert.equal(reports.length, 1);
    assert.match(reports[0]!, /^Return-Path: <>\r$/m);
    assert.match(reports[0]!, /^Action: failed\r$/m);
    return reports[0]!;
  };

  it('a 4xx is a deferral: the queue shows the reply, and `waypost queue retry` has it delivered when the server is well', async () => {
    moody.script = { ...moody.script, mail: '451 4.7.1 the moon is in the wrong house' };
    await send('wait@moody.test', 'deferred');
    const { id } = await out.settled('wait@moody.test', 'deferred');
    assert.match(await out.waypost('queue', 'list', '--state', 'deferred'), /wait@moody\.test.*the moon is in the/);
    assert.match(await out.waypost('queue', 'show', id), /451 4\.7\.1 the moon is in the wrong house/);
    assert.equal(takenBy(moody, 'wait@moody.test'), 0);
    const { mail: _, ...well } = moody.script;
    moody.script = well;
    await out.waypost('queue', 'retry', id);
    await out.settled('wait@moody.test', 'delivered');
    assert.equal(takenBy(moody, 'wait@moody.test'), 1);
    assert.match(await out.waypost('queue', 'show', id), /451 4\.7\.1[^]*250 /);
  });

  it('B7: a 5xx tells the sender at once, exactly once, and the other recipients get the message', async () => {
    const message = textMessage(ann.address, 'one of two', 'X\r\n');
    await out.submit(ann, ['nobody@moody.test', 'somebody@moody.test'], message);
    await out.settled('nobody@moody.test', 'bounced');
    const report = await bounced('nobody@moody.test');
    assert.match(report, /^Diagnostic-Code: smtp; ?550 5\.1\.1 there is no such user\r$/im);
    assert.match(report, /^Status: 5\.1\.1\r$/m);
    await out.settled('somebody@moody.test', 'delivered');
    assert.equal(takenBy(moody, 'somebody@moody.test'), 1);
    assert.deepEqual(await reportsOf('somebody@moody.test'), []);
  });

  it('B7: a domain that doesn’t exist tells the sender at once', async () => {
    await send('who@nowhere.test', 'no such domain');
    await out.settled('who@nowhere.test', 'bounced');
    assert.match(await bounced('who@nowhere.test'), /nowhere\.test/);
  });

  it('B11: a server that isn’t up: the mail waits with the reason and its server rests; resumed when it is up, it is delivered', async () => {
    await send('ann@down.test', 'nobody listens');
    const { id } = await out.settled('ann@down.test', 'deferred');
    assert.match(await out.waypost('queue', 'show', id), /refused/i);
    const destination = async () =>
      JSON.parse(await out.waypost('queue', 'destinations', '--prefix', 'down.test', '--json'))[0];
    await until('the destination rests', 10_000, async () => (await destination()).restingUntil !== null);
    // What comes now waits for the end of the rest.
    await send('ben@down.test', 'waits for the rest');
    const up = await startSink({}, downPort);
    sinks.push(up);
    await out.waypost('queue', 'resume', 'down.test');
    await out.settled('ben@down.test', 'delivered');
    assert.equal((await out.rowsOf('ann@down.test'))[0]?.state, 'deferred', 'its own time hasn’t come');
    await out.waypost('queue', 'retry', id);
    await out.settled('ann@down.test', 'delivered');
    for (const recipient of ['ann@down.test', 'ben@down.test']) assert.equal(takenBy(up, recipient), 1);
  });

  it('B11: `waypost queue retry` tries a server that rests after failures', async () => {
    await send('rest@resting.test', 'tried now');
    const { id } = await out.settled('rest@resting.test', 'deferred');
    const up = await startSink({}, restingPort);
    sinks.push(up);
    await out.waypost('queue', 'retry', id);
    await out.settled('rest@resting.test', 'delivered');
    assert.equal(takenBy(up, 'rest@resting.test'), 1);
  });

  it('B4: the other server is down, all of this one is killed and started again: it is delivered when the other is up', async () => {
    await send('far@later.test', 'survives');
    await out.settled('far@later.test', 'deferred');
    await system.kill();
    const up = await startSink({}, laterPort);
    sinks.push(up);
    await system.restart();
    // It would end by itself, a minute after the failure.
    await out.waypost('queue', 'resume', 'later.test');
    await until('it has arrived', 60_000, () => takenBy(up, 'far@later.test') > 0);
    await out.settled('far@later.test', 'delivered', 15_000);
    assert.equal(takenBy(up, 'far@later.test'), 1);
    const [message] = up.messages;
    assert.match(message!.raw.toString(), /\r\n\r\nX\r\n$/);
  });
});
