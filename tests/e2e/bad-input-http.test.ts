import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ApiClient, apiClient, createAccount } from '../support/api-client.ts';
import { rawHttp } from '../support/raw-http.ts';
import { allIn, arrived, mailboxId, mine, sha256 } from '../support/reading.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { startSystem, type System } from '../support/system.ts';
import { badContent, badTargets } from './bad-requests.ts';

type Account = Awaited<ReturnType<typeof createAccount>>;

describe('bad input over HTTP', () => {
  let waypost: System;
  let ann: Account;
  let clients: Record<'ann' | 'admin', ApiClient>;
  const names = new Map<string, string>();
  let atFirst: { pids: number[]; messages: string };

  before(async () => {
    waypost = await startSystem({ WAYPOST_SAMPLE_ACCOUNTS: 'false' });
    const admin = apiClient(waypost.api, waypost.admin);
    ann = await createAccount(waypost.api, waypost.admin, 'ann@example.test');
    const ben = await createAccount(waypost.api, waypost.admin, 'ben@example.test');
    clients = { ann, admin };
    const { client } = await SmtpClient.connect(waypost.ports.mx);
    await client.command('EHLO a.test');
    for (const reader of [ann, ben]) await client.send('c@sender.test', [reader.address], 'Subject: kept\r\n\r\nx\r\n');
    await client.quit();
    const { items } = await admin.get('/api/v1/accounts');
    names
      .set('id', (await arrived(ann, 'kept')).id)
      .set('foreign', (await arrived(ben, 'kept')).id)
      .set('inbox', await mailboxId(ann, 'inbox'))
      .set('foreignBox', await mailboxId(ben, 'inbox'))
      .set('ben', ben.id)
      .set('admin', items.find((account: { admin: boolean }) => account.admin).id)
      .set('cursor', (await admin.get('/api/v1/accounts?limit=1')).nextCursor);
    atFirst = { pids: waypost.pids(), messages: await everything() };
  });
  after(() => waypost.dispose());

  const everything = async (): Promise<string> =>
    sha256(JSON.stringify([await allIn(ann), (await ann.get(`${mine}/mailboxes`)).items]));
  const named = (text: string): string => text.replace(/\{(\w+)\}/g, (whole, name: string) => names.get(name) ?? whole);

  for (const [what, request, due, { as, headers = {}, body } = {}] of [...badContent, ...badTargets]) {
    it(`${what}: ${due}`, async () => {
      const [, method = '', path = ''] = /^(\S+) (.*)$/s.exec(named(request)) ?? [];
      const credentials = as === 'nobody' ? {} : { authorization: basic(as === 'admin' ? waypost.admin : ann) };
      const raw = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
      const sent = raw
        ? { ...credentials, ...headers }
        : { ...credentials, 'content-type': 'application/json', ...headers };
      const content = raw ? body : named(JSON.stringify(body));
      const answer = await requestAsIs(waypost.ports.http, method, path, sent, content);
      assert.equal(`${answer.status} ${answer.body.code}`, due, JSON.stringify(answer.body));
      assert.match(answer.head, /^content-type: application\/problem\+json$/im);
      assert.equal(answer.body.status, answer.status);
      assert.ok(answer.body.title.length > 0);
      assert.doesNotMatch(
        JSON.stringify(answer.body),
        /sqlite|node_modules|\.ts:\d|at Object/i,
        'nothing of our inside',
      );
    });
  }

  it('what is no HTTP, or headers without end: 400 and 431', async () => {
    const port = waypost.ports.http;
    for (const [request, status, code] of [
      ['GARBAGE\r\n\r\n', 400, 'malformedRequest'],
      ['GET / HTTP/9.9\r\nHost: x\r\n\r\n', 400, 'malformedRequest'],
      ['GET / HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n', 400, 'malformedRequest'],
      [
        'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        400,
        'malformedRequest',
      ],
      [`GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'headersTooLarge'],
      [`GET / HTTP/1.1\r\nHost: x\r\n${'X-Many: y\r\n'.repeat(5_000)}\r\n`, 431, 'headersTooLarge'],
      ['GET //api//v1//accounts HTTP/1.1\r\nHost: x\r\n\r\n', 404, 'notFound'],
      ['GET /api/v1/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n', 404, 'notFound'],
      ['GET http://evil.test/api/v1/accounts HTTP/1.1\r\nHost: x\r\n\r\n', 401, 'unauthenticated'],
    ] as const) {
      const answer = await rawHttp(port, request);
      assert.deepEqual([answer.status, answer.body.code], [status, code], request.slice(0, 60));
    }
  });

  it('the process is still the same one, ready, and nothing was lost or made', async () => {
    assert.deepEqual(waypost.pids(), atFirst.pids);
    const ready = await fetch(`http://127.0.0.1:${waypost.ports.ops}/readyz`);
    assert.equal(ready.status, 200);
    assert.equal(await everything(), atFirst.messages);
    assert.equal((await clients.admin.get('/api/v1/accounts')).items.length, 3);
    assert.deepEqual((await clients.admin.get('/api/v1/aliases')).items, []);
    const { subject } = await ann.get(`${mine}/messages/${names.get('id')}`);
    assert.equal(subject, 'kept');
    assert.doesNotMatch(waypost.output(), /"level":"(error|fatal)"/);
  });
});

const basic = ({ address, password }: { address: string; password: string }): string =>
  `Basic ${Buffer.from(`${address}:${password}`).toString('base64')}`;

/** With the path as it is written: clients would tidy it. */
function requestAsIs(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string>,
  body: string | Uint8Array | undefined,
) {
  const bytes = Buffer.from(body ?? '');
  const lines = Object.entries({
    host: 'waypost.test',
    ...headers,
    ...(body === undefined ? {} : { 'content-length': String(bytes.length) }),
  })
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return rawHttp(
    port,
    Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'), bytes]),
  );
}
