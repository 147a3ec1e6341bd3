import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createAccount } from '../support/api-client.ts';
import { mailauthResults } from '../support/dkim-verify.ts';
import { type DnsServer, startDns } from '../support/dns-server/server.ts';
import { outgoing, textMessage } from '../support/outgoing.ts';
import { arrived, mine, sha256 } from '../support/reading.ts';
import { type Sink, silence, startSink } from '../support/smtp-sink/sink.ts';
import { startSystem, type System } from '../support/system.ts';
import { until } from '../support/until.ts';

/** On the port of mail, which not everybody may open: an address of loopback that nobody else has. */
const mxAddress = `127.${100 + (process.pid % 100)}.${(process.pid >> 8) % 250}.25`;

describe('mail to other servers', () => {
  let dns: DnsServer;
  let far: Sink;
  let stalled: Sink;
  let onPort25: Sink | undefined;
  let system: System;
  let out: ReturnType<typeof outgoing>;
  let ann: Awaited<ReturnType<typeof createAccount>>;
  let ben: Awaited<ReturnType<typeof createAccount>>;

  before(async () => {
    dns = await startDns({
      'mx.test': { MX: ['20 nowhere.mx.test', '10 good.mx.test'] },
      'good.mx.test': { A: [mxAddress] },
      'nowhere.mx.test': { A: ['127.255.255.1'] },
    });
    [far, stalled] = [await startSink(), await startSink({ greeting: silence })];
    onPort25 = await startSink({}, 25, mxAddress).catch(() => undefined);
    system = await startSystem({
      WAYPOST_SAMPLE_ACCOUNTS: 'false',
      WAYPOST_DNS_SERVERS: dns.address,
      WAYPOST_ALLOW_PRIVATE_DESTINATIONS: 'true',
      WAYPOST_ROUTES: `far.test=smtp://127.0.0.1:${far.port},stalled.test=smtp://127.0.0.1:${stalled.port}`,
    });
    out = outgoing(system);
    ann = await createAccount(system.api, system.admin, 'ann@example.test');
    ben = await createAccount(system.api, system.admin, 'ben@example.test');
  });
  after(async () => {
    await system?.dispose();
    await Promise.all([far, stalled, onPort25, dns].map(async (part) => part?.close()));
  });

  const toFar = (recipient: string) =>
    far.messages.filter(({ recipients }) => recipients.includes(`${recipient}@far.test`));
  const arrivedAt = (recipient: string) =>
    until(`mail for ${recipient} is at the other server`, 10_000, () => toFar(recipient).length > 0);

  // Before any other: that a domain has no key is remembered for a minute.
  it('with a key for the domain, what goes out is signed so that others find it right', async () => {
    const printed = await out.waypost('dkim', 'add', 'example.test');
    assert.match(printed, /_domainkey\.example\.test/);
    const { items } = await out.admin.get('/api/v1/domains/example.test/dkim');
    const records: Record<string, string[]> = {};
    for (const { record } of items) records[record.name] = [record.strings.join('')];
    for (const [name, texts] of Object.entries(records)) dns.set(name, 'TXT', texts);
    const checked = JSON.parse(await out.waypost('dkim', 'check', 'example.test', '--json'));
    assert.deepEqual(
      checked.map(({ result }: { result: string }) => result),
      ['matches', 'matches'],
    );
    for (const { selector } of items) await out.waypost('dkim', 'activate', 'example.test', selector);
    await out.submit(ann, ['signed@far.test'], textMessage(ann.address, 'signed'));
    await arrivedAt('signed');
    const results = await mailauthResults(toFar('signed')[0]!.raw, records);
    assert.deepEqual(
      results.toSorted(),
      items.map(({ selector }: { selector: string }) => `example.test/${selector} pass`).toSorted(),
    );
  });

  it('B8: what is submitted arrives once at the other server, its body octet for octet', async () => {
    const body = `.\r\n..two\r\n${'text in lines \t \r\n'.repeat(2_000)}\r\n\r\n.end\r\n`;
    await out.submit(ann, ['bytes@far.test'], textMessage(ann.address, 'octets', body));
    await arrivedAt('bytes');
    const [message] = toFar('bytes');
    const raw = message!.raw.toString('latin1');
    assert.equal(sha256(raw.slice(raw.indexOf('\r\n\r\n') + 4)), sha256(body));
    assert.equal(message!.mailFrom, ann.address);
    const received = raw.match(/^Received:/gm) ?? [];
    assert.equal(received.length, 1, raw.slice(0, 1_000));
    assert.match(raw, /^Received: [^]*?\bESMTPSA\b/m);
    await out.settled('bytes@far.test', 'delivered');
    assert.equal(toFar('bytes').length, 1);
  });

  it('B10: mail goes to port 25 of the first host that the MX records name', async (t) => {
    if (onPort25 === undefined) {
      t.skip(`this user may not listen on ${mxAddress}:25`);
      return;
    }
    const body = { to: [{ email: 'by-mx@mx.test' }, { email: ben.address }], subject: 'by MX', text: 'over HTTP' };
    const answer = await ann.request('POST', `${mine}/messages`, body);
    assert.equal(answer.status, 202, JSON.stringify(answer.body));
    const { id } = await out.settled('by-mx@mx.test', 'delivered');
    assert.deepEqual(
      onPort25.messages.map(({ recipients }) => recipients),
      [['by-mx@mx.test']],
    );
    assert.match(onPort25.messages[0]!.raw.toString(), /^Subject: by MX\r$/m);
    await arrived(ben, 'by MX');
    const shown = await out.waypost('queue', 'show', id);
    assert.match(shown, /good\.mx\.test/);
    assert.match(shown, /250 /);
  });

  it('B15: three messages for one server that waited go over one connection, which ends with QUIT', async () => {
    const names = ['one', 'two', 'three'];
    await out.waypost('queue', 'pause', 'far.test');
    const [before, delivered] = [far.connections.length, far.delivered];
    for (const name of names) await out.submit(ann, [`${name}@far.test`], textMessage(ann.address, name));
    const paused = JSON.parse(await out.waypost('queue', 'destinations', '--prefix', 'far.test', '--json'));
    assert.notEqual(paused.find(({ name }: { name: string }) => name === 'far.test').paused, false);
    for (const name of names) assert.equal((await out.rowsOf(`${name}@far.test`))[0]?.state, 'queued');
    assert.equal(far.delivered, delivered, 'nothing goes while it is paused');
    await out.waypost('queue', 'resume', 'far.test');
    for (const name of names) await arrivedAt(name);
    const used = new Set(names.map((name) => toFar(name)[0]!.connection));
    assert.equal(used.size, 1);
    const connection = far.connections[[...used][0]! - 1]!;
    assert.ok(far.connections.length <= before + 1);
    assert.ok(connection.commands.filter((line) => line.startsWith('MAIL ')).length >= 3);
    await until('the connection is closed', 40_000, () => !connection.open);
    assert.deepEqual(
      connection.commands.filter((line) => line === 'QUIT'),
      ['QUIT'],
    );
  });

  it('B9: a server that says nothing slows neither what comes in nor what goes elsewhere', async () => {
    await out.submit(ann, ['slow@stalled.test'], textMessage(ann.address, 'stalled'));
    await until('a session with the stalled server is open', 10_000, () => stalled.openConnections > 0);
    const startedAt = performance.now();
    await out.submit(ann, [ben.address, 'passes@far.test'], textMessage(ann.address, 'passes'));
    await arrived(ben, 'passes', { timeoutMs: 5_000 });
    await arrivedAt('passes');
    assert.ok(performance.now() - startedAt < 5_000);
    assert.equal(stalled.openConnections, 1, 'it is still waiting');
  });
});
