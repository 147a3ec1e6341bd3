import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ApiClient, apiClient, createAccount } from '../support/api-client.ts';
import { allIn, arrived, mine, queueIsDone } from '../support/reading.ts';
import { SmtpClient, type SmtpReply } from '../support/smtp-client.ts';
import { implicitTls, plainLogin } from '../support/smtp-tls.ts';
import { until } from '../support/until.ts';
import { startSystem, type System } from '../support/system.ts';

type Account = Awaited<ReturnType<typeof createAccount>>;

/** What a process knows of an account's credentials is at most 2 s old; half a second is for asking. */
const knownWithinMs = 2_500;

describe('accounts, aliases and credentials', () => {
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

  const send = (to: readonly string[], subject: string) =>
    server.send('c@sender.test', to, `Subject: ${subject}\r\n\r\nhello\r\n`);

  /** The answer to RCPT alone. */
  async function rcpt(address: string): Promise<SmtpReply> {
    await server.command('MAIL FROM:<c@sender.test>');
    const reply = await server.command(`RCPT TO:<${address}>`);
    await server.command('RSET');
    return reply;
  }

  it('an alias leads to several accounts, each gets one copy, and an alias of aliases does too', async () => {
    await made(admin, '/api/v1/aliases', { address: 'team@example.test', targets: [ann.address, ben.address] });
    await made(admin, '/api/v1/aliases', { address: 'all@example.test', targets: ['team@example.test', ann.address] });
    assert.equal((await send(['all@example.test', 'team@example.test', ann.address], 'to all')).final.code, 250);
    await arrived(ann, 'to all');
    await arrived(ben, 'to all');
    await queueIsDone(admin);
    for (const reader of [ann, ben]) {
      assert.equal((await allIn(reader)).filter(({ subject }) => subject === 'to all').length, 1);
    }
  });

  it('a +tag is the same mailbox', async () => {
    assert.equal((await send(['ann+news@example.test'], 'tagged')).final.code, 250);
    await arrived(ann, 'tagged');
  });

  it('the catch-all takes what nobody has, and only in its domain', async () => {
    await made(admin, '/api/v1/domains', { name: 'second.test' });
    assert.equal((await rcpt('whoever@second.test')).code, 550);
    await made(admin, '/api/v1/aliases', { address: '@second.test', targets: [ben.address] });
    await until('the catch-all is known', 2_000, async () => (await rcpt('whoever@second.test')).code === 250);
    assert.equal((await send(['someone.else@second.test'], 'caught')).final.code, 250);
    await arrived(ben, 'caught');
    assert.equal((await rcpt('whoever@example.test')).code, 550);
  });

  it('an application password reads and sends, changes nothing of the account, and ends when it is removed', async () => {
    const answer = await ann.request('POST', `${mine}/app-passwords`, { name: 'phone' });
    assert.equal(answer.status, 201);
    const phone = apiClient(waypost.api, { address: ann.address, password: answer.body.password });
    assert.equal((await phone.request('GET', `${mine}/messages`)).status, 200);
    assert.equal((await phone.request('POST', `${mine}/app-passwords`, { name: 'another' })).status, 403);
    assert.equal((await phone.request('PATCH', mine, { password: 'a new password' })).status, 403);
    const session = await implicitTls(waypost.ports.submissions);
    assert.equal((await session.command(`AUTH PLAIN ${plainLogin(ann.address, answer.body.password)}`)).code, 235);
    assert.equal(
      (await session.send(ann.address, [ben.address], `From: ${ann.address}\r\nSubject: by app password\r\n\r\nx\r\n`))
        .final.code,
      250,
    );
    session.destroy();
    await arrived(ben, 'by app password');

    const { items } = await ann.get(`${mine}/app-passwords`);
    assert.ok(!JSON.stringify(items).includes(answer.body.password), 'it is shown only once');
    assert.equal((await ann.request('DELETE', `${mine}/app-passwords/${items[0].id}`)).status, 204);
    await until('it is refused', knownWithinMs, async () => (await phone.request('GET', mine)).status === 401);
  });

  it('a token can do what its scopes say and nothing else, and no token makes another', async () => {
    await send([ann.address], 'for tokens');
    const { id } = await arrived(ann, 'for tokens');
    const outcomes: Record<string, number[]> = {};
    for (const scopes of [
      ['mail:read'],
      ['mail:write'],
      ['mail:send'],
      ['directory:read'],
      ['mail:read', 'mail:write'],
    ]) {
      const answer = await ann.request('POST', '/api/v1/tokens', { name: scopes.join(), scopes });
      assert.equal(answer.status, 201);
      const bearer = { authorization: `Bearer ${answer.body.token}` };
      const status = async (method: string, path: string, body?: unknown) =>
        (await ann.request(method, path, body, bearer)).status;
      outcomes[scopes.join()] = [
        await status('GET', `${mine}/messages/${id}`),
        await status('PATCH', `${mine}/messages/${id}`, { keywords: { $flagged: true } }),
        await status('POST', `${mine}/messages`, { to: [{ email: ben.address }], subject: 'by token' }),
        await status('POST', '/api/v1/tokens', { name: 'more', scopes: ['mail:read'] }),
        await status('GET', '/api/v1/queue/counts'),
      ];
    }
    assert.deepEqual(outcomes, {
      'mail:read': [200, 403, 403, 403, 403],
      'mail:write': [403, 200, 403, 403, 403],
      'mail:send': [403, 403, 202, 403, 403],
      'directory:read': [403, 403, 403, 403, 403],
      'mail:read,mail:write': [200, 200, 403, 403, 403],
    });
    const { body } = await ann.request('POST', '/api/v1/tokens', { name: 'short', scopes: ['mail:read'] });
    const bearer = { authorization: `Bearer ${body.token}` };
    assert.equal((await ann.request('GET', `${mine}/messages`, undefined, bearer)).status, 200);
    assert.equal((await ann.request('DELETE', `/api/v1/tokens/${body.id}`)).status, 204);
    await until('the token is refused', knownWithinMs, async () => {
      return (await ann.request('GET', `${mine}/messages`, undefined, bearer)).status === 401;
    });
  });

  it('disabling an account refuses its logins and its mail within 2 s, and enabling gives both back', async () => {
    const cleo = await createAccount(waypost.api, waypost.admin, 'cleo@example.test');
    await cleo.get(mine);
    assert.equal((await rcpt(cleo.address)).code, 250);
    await changed(admin, cleo.id, { enabled: false });
    await until('HTTP refuses the login', knownWithinMs, async () => (await cleo.request('GET', mine)).status === 401);
    const session = await implicitTls(waypost.ports.submissions);
    assert.equal((await session.command(`AUTH PLAIN ${plainLogin(cleo.address, cleo.password)}`)).code, 535);
    session.destroy();
    await until('RCPT is refused', 2_000, async () => (await rcpt(cleo.address)).code === 550);
    await changed(admin, cleo.id, { enabled: true });
    await until('the login is good again', knownWithinMs, async () => (await cleo.request('GET', mine)).status === 200);
    await until('RCPT is good again', 2_000, async () => (await rcpt(cleo.address)).code === 250);
  });

  it('a full mailbox is refused at RCPT, mail that was already taken waits, and goes in when there is room', async () => {
    const dora = await createAccount(waypost.api, waypost.admin, 'dora@example.test');
    await changed(admin, dora.id, { quota: { bytes: null, messages: 2 } });
    // Both are open before the first is full: the quota can't refuse them at RCPT.
    const sessions = await Promise.all(
      [1, 2, 3].map(async (n) => {
        const { client } = await SmtpClient.connect(waypost.ports.mx);
        await client.command('EHLO a.test');
        await client.command(`MAIL FROM:<c@sender.test>`);
        assert.equal((await client.command(`RCPT TO:<${dora.address}>`)).code, 250);
        assert.equal((await client.command('DATA')).code, 354);
        return { client, n };
      }),
    );
    for (const { client, n } of sessions) {
      client.write(`Subject: quota ${n}\r\n\r\nx\r\n.\r\n`);
      assert.equal((await client.reply()).code, 250);
      await client.quit();
    }
    await until('two are in the mailbox', 10_000, async () => (await allIn(dora)).length === 2);
    await until('the third is deferred', 10_000, async () => {
      const { items } = await admin.get(`/api/v1/queue/deliveries?recipient=${dora.address}&state=deferred`);
      return items.length === 1 && /4\.2\.2/.test(items[0].lastReply);
    });
    await until('RCPT says that it is full', 12_000, async () => {
      const { code, text } = await rcpt(dora.address);
      return (code === 452 || code === 552) && text.includes('4.2.2');
    });
    assert.equal((await dora.get(mine)).usage.messages, 2);

    await changed(admin, dora.id, { quota: { bytes: null, messages: 10 } });
    const { items } = await admin.get(`/api/v1/queue/deliveries?recipient=${dora.address}&state=deferred`);
    assert.equal((await admin.request('POST', `/api/v1/queue/deliveries/${items[0].id}/retry`)).status, 200);
    await until('the third is there', 10_000, async () => (await allIn(dora)).length === 3);
    await until('RCPT takes mail again', 12_000, async () => (await rcpt(dora.address)).code === 250);
  });

  it('a removed account is gone: its login, its address and its mail; the address begins anew', async () => {
    const eve = await createAccount(waypost.api, waypost.admin, 'eve@example.test');
    await send([eve.address], 'for the first eve');
    await arrived(eve, 'for the first eve');
    assert.equal((await admin.request('DELETE', `/api/v1/accounts/${eve.id}`)).status, 204);
    await until('the login is refused', knownWithinMs, async () => (await eve.request('GET', mine)).status === 401);
    await until('the address is unknown', 2_000, async () => (await rcpt(eve.address)).code === 550);
    assert.equal((await admin.request('GET', `/api/v1/accounts/${eve.id}`)).status, 404);
    const second = await createAccount(waypost.api, waypost.admin, eve.address);
    assert.notEqual(second.id, eve.id);
    assert.deepEqual(await allIn(second), []);
  });
});

async function made(admin: ApiClient, path: string, body: unknown): Promise<void> {
  const answer = await admin.request('POST', path, body);
  assert.equal(answer.status, 201, JSON.stringify(answer.body));
}

async function changed(admin: ApiClient, id: string, patch: unknown): Promise<void> {
  const answer = await admin.request('PATCH', `/api/v1/accounts/${id}`, patch);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
}
