import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { newId } from '../../libs/runtime/ids.ts';
import { type AuthFixture, openAuth } from './auth-fixture.ts';

describe('the API of the directory', () => {
  let auth: AuthFixture;
  before(async () => {
    auth = await openAuth();
  });
  after(() => auth.close());

  const make = async (name: string, fields: object = {}): Promise<string> => {
    const body = { address: `${name}@example.test`, password: `${name}-password`, ...fields };
    const made = await auth.api('POST', '/api/v1/accounts', 'admin', body);
    assert.equal(made.status, 201, JSON.stringify(made.body));
    return String(made.body['id']);
  };
  const as = (name: string): string => `${name}@example.test:${name}-password`;
  const token = async (who: string, ...scopes: string[]): Promise<string> => {
    const made = await auth.api('POST', '/api/v1/tokens', who, { name: 'test', scopes });
    assert.equal(made.status, 201, JSON.stringify(made.body));
    return String(made.body['token']);
  };

  it('nothing is answered without a login', async () => {
    for (const path of [
      '/api/v1/domains',
      '/api/v1/accounts',
      '/api/v1/accounts/me',
      '/api/v1/aliases',
      '/api/v1/tokens',
    ]) {
      assert.equal((await auth.api('GET', path)).status, 401, path);
    }
  });

  it('the directory is for administrators', async () => {
    const bodies = {
      address: 'x@example.test',
      password: 'x-password-x',
      name: 'x.test',
      targets: ['alice@example.test'],
    };
    for (const path of ['/api/v1/domains', '/api/v1/accounts', '/api/v1/aliases']) {
      assert.equal((await auth.api('GET', path, 'alice')).status, 403, path);
      assert.equal((await auth.api('POST', path, 'alice', bodies)).status, 403, path);
    }
    assert.equal((await auth.api('DELETE', '/api/v1/domains/example.test', 'alice')).status, 403);
    assert.equal((await auth.api('DELETE', '/api/v1/accounts/me', 'alice')).status, 403);
  });

  it('an account is made, read, listed and changed', async () => {
    const fields = { displayName: 'Carol C', quota: { bytes: 1000, messages: null } };
    const id = await make('carol', fields);
    const { status, body } = await auth.api('GET', `/api/v1/accounts/${id}`, 'admin');
    assert.equal(status, 200);
    const { createdAt, ...rest } = body;
    assert.ok(!Number.isNaN(Date.parse(String(createdAt))));
    const shown = { id, address: 'carol@example.test', ...fields, enabled: true, admin: false };
    assert.deepEqual(rest, { ...shown, usage: { bytes: 0, messages: 0 } });
    assert.equal((await auth.api('GET', '/api/v1/accounts/me', as('carol'))).body['id'], id);
    const patched = await auth.api('PATCH', `/api/v1/accounts/${id}`, 'admin', {
      displayName: null,
      quota: { messages: 7 },
    });
    assert.deepEqual(
      [patched.status, patched.body['displayName'], patched.body['quota']],
      [200, null, { bytes: null, messages: 7 }],
    );
    assert.equal((await auth.store.mailboxes.usage([id])).get(id)?.limitMessages, 7);
  });

  it('pages of accounts hold each once', async () => {
    await make('page-a');
    await make('page-b');
    const seen: string[] = [];
    let cursor = '';
    do {
      const { body } = await auth.api(
        'GET',
        `/api/v1/accounts?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
        'admin',
      );
      assert.ok(Array.isArray(body['items']) && body['items'].length <= 2);
      seen.push(...body['items'].map((item: { address: string }) => item.address));
      cursor = typeof body['nextCursor'] === 'string' ? body['nextCursor'] : '';
    } while (cursor !== '');
    assert.deepEqual(seen, seen.toSorted());
    assert.equal(new Set(seen).size, seen.length);
    for (const name of ['admin', 'alice', 'page-a', 'page-b']) assert.ok(seen.includes(`${name}@example.test`));
  });

  it('accounts that cannot be are refused, and say why', async () => {
    const post = (body: object) => auth.api('POST', '/api/v1/accounts', 'admin', body);
    const good = { address: 'good@example.test', password: 'good-password' };
    const cases: [object, number, string][] = [
      [{ ...good, address: 'alice@example.test' }, 409, 'alreadyExists'],
      [{ ...good, address: 'ALICE@EXAMPLE.TEST' }, 409, 'alreadyExists'],
      [{ ...good, address: 'x@elsewhere.test' }, 409, 'noDomain'],
      [{ ...good, address: 'no address' }, 400, 'invalidRequest'],
      [{ ...good, password: 'too-short' }, 400, 'invalidRequest'],
      [{ ...good, password: 'x'.repeat(1025) }, 400, 'invalidRequest'],
      [{ ...good, password: 'ü'.repeat(600) }, 400, 'invalidRequest'],
      [{ ...good, quota: { bytes: -1 } }, 400, 'invalidRequest'],
      [{ ...good, role: 'admin' }, 400, 'invalidRequest'],
      [{ address: good.address }, 400, 'invalidRequest'],
    ];
    for (const [body, status, code] of cases) {
      const answer = await post(body);
      assert.deepEqual([answer.status, answer.body['code']], [status, code], JSON.stringify(body).slice(0, 80));
    }
    assert.match(JSON.stringify((await post({ ...good, password: 'short' })).body), /at least 10 characters/);
    assert.equal((await auth.api('GET', '/api/v1/accounts?cursor=made-up', 'admin')).body['code'], 'invalidCursor');
  });

  it("an account sees nothing of another's, in the same words as of none", async () => {
    const other = await make('secretive');
    const none = await auth.api('GET', `/api/v1/accounts/${newId()}`, 'alice');
    for (const id of [other, 'x', '%00', '../accounts/me']) {
      const path = `/api/v1/accounts/${encodeURIComponent(id)}`;
      const answer = await auth.api('GET', path, 'alice');
      assert.deepEqual(
        [answer.status, answer.body['code'], answer.body['detail']],
        [404, none.body['code'], none.body['detail']],
        id,
      );
      assert.equal((await auth.api('PATCH', path, 'alice', { displayName: 'x', currentPassword: 'x' })).status, 404);
      assert.equal((await auth.api('GET', `${path}/app-passwords`, 'alice')).status, 404);
      assert.equal((await auth.api('POST', `${path}/app-passwords`, 'alice', { name: 'x' })).status, 404);
    }
  });

  it('an account changes its own password and name with the current password, and nothing else', async () => {
    const id = await make('dave');
    const patch = (body: object, who = as('dave')) => auth.api('PATCH', `/api/v1/accounts/${id}`, who, body);
    const currentPassword = 'dave-password';
    assert.equal((await patch({ password: 'a new password' })).status, 403);
    assert.equal((await patch({ password: 'a new password', currentPassword: 'wrong' })).status, 403);
    for (const rights of [{ admin: true }, { enabled: true }, { quota: { bytes: null } }]) {
      assert.equal((await patch({ ...rights, currentPassword })).status, 403);
    }
    assert.equal((await patch({ displayName: 'Dave', currentPassword })).body['displayName'], 'Dave');
    assert.equal((await patch({ password: 'a new password', currentPassword })).status, 200);
    auth.clock.advance(3_000);
    assert.equal((await auth.api('GET', '/api/v1/accounts/me', as('dave'))).status, 401);
    assert.equal((await auth.api('GET', '/api/v1/accounts/me', 'dave@example.test:a new password')).status, 200);
  });

  it('guesses of the current password are limited like logins', async () => {
    await make('guessable');
    const guess = (currentPassword: string) =>
      auth.api('PATCH', '/api/v1/accounts/me', as('guessable'), { displayName: 'x', currentPassword });
    await guess('guessable-password');
    for (let i = 0; i < 10; i++) assert.equal((await guess(`guess-${i}`)).status, 403);
    const limited = await guess('guessable-password');
    assert.deepEqual([limited.status, limited.body['code']], [429, 'loginLimited']);
    assert.ok(Number(limited.headers.get('retry-after')) > 0);
    auth.clock.advance(15 * 60_000);
  });

  it('a disabled account is out within 2 s, an enabled one in again, and the last administrator stays', async () => {
    const id = await make('erin');
    assert.equal((await auth.api('GET', '/api/v1/accounts/me', as('erin'))).status, 200);
    await auth.api('PATCH', `/api/v1/accounts/${id}`, 'admin', { enabled: false });
    auth.clock.advance(2_001);
    assert.equal((await auth.api('GET', '/api/v1/accounts/me', as('erin'))).status, 401);
    await auth.api('PATCH', `/api/v1/accounts/${id}`, 'admin', { enabled: true });
    assert.equal((await auth.api('GET', '/api/v1/accounts/me', as('erin'))).status, 200);
    for (const [method, body] of [['PATCH', { enabled: false }], ['PATCH', { admin: false }], ['DELETE']] as const) {
      const answer = await auth.api(method, '/api/v1/accounts/me', 'admin', body);
      assert.deepEqual([answer.status, answer.body['code']], [409, 'lastAdministrator']);
    }
  });

  it('a removed account is out, its address free, and its mail left for the sweep to remove', async () => {
    const id = await make('frank');
    assert.equal((await auth.api('DELETE', `/api/v1/accounts/${id}`, 'admin')).status, 204);
    assert.equal((await auth.api('DELETE', `/api/v1/accounts/${id}`, 'admin')).status, 404);
    assert.equal((await auth.login('frank@example.test', 'frank-password')).ok, false);
    assert.notEqual(await make('frank'), id);
    const listed = async () => (await auth.store.directory.removedAccounts(100)).some((removed) => removed.id === id);
    assert.equal(await listed(), true);
    const purged = await auth.bus.request('account.purged', { id }, { timeoutMs: 1_000 });
    assert.deepEqual([purged.ok, await listed()], [true, false]);
  });

  it('an application password logs in for mail, changes nothing of the account, and ends when removed', async () => {
    const id = await make('grace');
    const path = `/api/v1/accounts/${id}/app-passwords`;
    const made = await auth.api('POST', path, as('grace'), { name: 'phone' });
    assert.equal(made.status, 201);
    const password = String(made.body['password']);
    const verified = await auth.login('grace@example.test', password);
    assert.deepEqual(verified.ok && verified.identity.scopes, ['mail:read', 'mail:write', 'mail:send']);
    const phone = `grace@example.test:${password}`;
    assert.equal((await auth.api('GET', '/api/v1/accounts/me', phone)).status, 200);
    assert.equal((await auth.api('POST', path, phone, { name: 'more' })).status, 403);
    assert.equal(
      (await auth.api('POST', '/api/v1/tokens', phone, { name: 'more', scopes: ['mail:read'] })).status,
      403,
    );
    const change = { password: 'another password', currentPassword: password };
    assert.equal((await auth.api('PATCH', '/api/v1/accounts/me', phone, change)).status, 403);
    assert.equal((await auth.api('PATCH', '/api/v1/accounts/me', as('grace'), change)).status, 403);
    const list = await auth.api('GET', path, as('grace'));
    assert.ok(!JSON.stringify(list.body).includes(password));
    assert.equal((await auth.api('DELETE', `${path}/${String(made.body['id'])}`, as('grace'))).status, 204);
    assert.equal((await auth.login('grace@example.test', password)).ok, false);
    auth.clock.advance(2_001);
    assert.equal((await auth.api('GET', '/api/v1/accounts/me', phone)).status, 401);
  });

  it('a token does what its scopes say, until it ends or is removed', async () => {
    const id = await make('heidi');
    const reading = await token('admin', 'directory:read');
    assert.equal((await auth.api('GET', '/api/v1/accounts', reading)).status, 200);
    assert.equal((await auth.api('PATCH', `/api/v1/accounts/${id}`, reading, { displayName: 'x' })).status, 403);
    assert.equal((await auth.api('GET', '/api/v1/accounts', await token(as('heidi'), 'directory:read'))).status, 403);
    const mail = await token('admin', 'mail:read');
    assert.equal((await auth.api('GET', `/api/v1/accounts/${id}`, mail)).body['code'], 'insufficientScope');
    const writing = await token('admin', 'directory:write');
    assert.equal((await auth.api('POST', '/api/v1/tokens', writing, { name: 'x', scopes: ['mail:read'] })).status, 403);
    assert.equal((await auth.api('PATCH', '/api/v1/accounts/me', writing, { password: 'taken over!' })).status, 403);
    await make('second-admin', { admin: true });
    const { body: second } = await auth.api('GET', '/api/v1/accounts/me', as('second-admin'));
    const taken = await auth.api('PATCH', `/api/v1/accounts/${String(second['id'])}`, writing, {
      password: 'taken over!',
    });
    assert.equal(taken.status, 403);
    assert.equal((await auth.api('PATCH', `/api/v1/accounts/${id}`, writing, { admin: true })).status, 403);
    const made = { address: 'third-admin@example.test', password: 'third-password', admin: true };
    assert.equal((await auth.api('POST', '/api/v1/accounts', writing, made)).status, 403);
    assert.equal(
      (await auth.api('PATCH', `/api/v1/accounts/${id}`, writing, { password: 'heidi-password' })).status,
      200,
    );
    assert.equal((await auth.api('DELETE', `/api/v1/accounts/${String(second['id'])}`, 'admin')).status, 204);
    assert.equal((await auth.api('GET', '/api/v1/accounts', `${reading}x`)).status, 401);
    assert.equal((await auth.api('GET', '/api/v1/accounts', `wp_${'A'.repeat(43)}`)).status, 401);

    const { body } = await auth.api('GET', '/api/v1/tokens', 'admin');
    assert.ok(Array.isArray(body['items']));
    assert.ok(!JSON.stringify(body).includes(reading));
    const listed: { id: string; scopes: string[] }[] = body['items'];
    const found = listed.find(({ scopes }) => scopes.includes('directory:read'));
    assert.equal((await auth.api('DELETE', `/api/v1/tokens/${found?.id}`, 'alice')).status, 404);
    assert.equal((await auth.api('DELETE', `/api/v1/tokens/${found?.id}`, 'admin')).status, 204);
    auth.clock.advance(2_001);
    assert.equal((await auth.api('GET', '/api/v1/accounts', reading)).status, 401);
  });

  it('a token past its end is refused, also one that caches have just seen', async () => {
    const expiresAt = new Date(auth.clock.nowMs() + 60_000).toISOString();
    const made = await auth.api('POST', '/api/v1/tokens', 'alice', { name: 'short', scopes: ['mail:read'], expiresAt });
    const secret = String(made.body['token']);
    assert.equal(made.body['expiresAt'], expiresAt);
    assert.equal((await auth.api('GET', '/api/v1/accounts/me', secret)).status, 200);
    auth.clock.advance(60_001);
    assert.equal((await auth.api('GET', '/api/v1/accounts/me', secret)).status, 401);
    const past = await auth.api('POST', '/api/v1/tokens', 'alice', { name: 'past', scopes: ['mail:read'], expiresAt });
    assert.equal(past.status, 400);
    assert.equal((await auth.api('POST', '/api/v1/tokens', 'alice', { name: 'none', scopes: [] })).status, 400);
  });

  it('secrets are in the store as hashes only', async () => {
    const id = await make('ivan');
    const secret = await token(as('ivan'), 'mail:read');
    const rows = JSON.stringify([
      await auth.store.credentials.ofAccount(id),
      await auth.store.credentials.tokens(id, { limit: 10 }),
    ]);
    assert.ok(!rows.includes(secret) && !rows.includes('ivan-password'));
    assert.match(rows, /\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  });

  it('domains are added, listed and removed when empty', async () => {
    const made = await auth.api('POST', '/api/v1/domains', 'admin', { name: 'Bücher.test' });
    assert.deepEqual(
      [made.status, made.body['name'], made.body['asciiName']],
      [201, 'Bücher.test', 'xn--bcher-kva.test'],
    );
    assert.equal((await auth.api('POST', '/api/v1/domains', 'admin', { name: 'xn--bcher-kva.test' })).status, 409);
    for (const name of ['', 'a b', '-x.test', '192.0.2.1', 'x..test']) {
      assert.equal((await auth.api('POST', '/api/v1/domains', 'admin', { name })).status, 400, name);
    }
    const account = { address: 'käthe@bücher.test', password: 'käthe-password' };
    const { body } = await auth.api('POST', '/api/v1/accounts', 'admin', account);
    assert.equal(body['address'], 'käthe@bücher.test');
    assert.equal((await auth.api('DELETE', '/api/v1/domains/b%C3%BCcher.test', 'admin')).body['code'], 'domainInUse');
    await auth.api('DELETE', `/api/v1/accounts/${String(body['id'])}`, 'admin');
    assert.equal((await auth.api('DELETE', '/api/v1/domains/b%C3%BCcher.test', 'admin')).status, 204);
    assert.equal((await auth.api('DELETE', '/api/v1/domains/b%C3%BCcher.test', 'admin')).status, 404);
  });

  it('aliases are added, read, changed and removed, the catch-all too', async () => {
    const resolve = async (address: string) => {
      const { results } = await auth.bus.request('directory.resolve', { addresses: [address] }, { timeoutMs: 1_000 });
      return results[0]?.kind === 'local' ? results[0].targets.map((target) => target.address) : results[0]?.kind;
    };
    const post = (address: string, ...targets: string[]) =>
      auth.api('POST', '/api/v1/aliases', 'admin', { address, targets });
    const made = await post('Team@example.test', 'alice@example.test', 'ALICE@example.test', 'bob@example.test');
    assert.equal(made.status, 201);
    assert.deepEqual(await resolve('team+x@example.test'), ['alice@example.test', 'bob@example.test']);
    const path = '/api/v1/aliases/team@example.test';
    assert.equal((await auth.api('GET', path, 'admin')).body['address'], 'Team@example.test');
    assert.equal((await auth.api('PATCH', path, 'admin', { targets: ['bob@example.test'] })).status, 200);
    assert.deepEqual(await resolve('team@example.test'), ['bob@example.test']);
    assert.equal((await post('@example.test', 'team@example.test')).status, 201);
    assert.deepEqual(await resolve('whoever@example.test'), ['bob@example.test']);
    assert.equal((await auth.api('DELETE', '/api/v1/aliases/@example.test', 'admin')).status, 204);
    assert.equal((await auth.api('DELETE', path, 'admin')).status, 204);
    assert.equal((await auth.api('DELETE', path, 'admin')).status, 404);
    assert.equal(await resolve('team@example.test'), 'unknown');
  });

  it('an alias may lead elsewhere, beside accounts', async () => {
    const targets = ['bob@example.test', 'Bob@Elsewhere.test', 'Bob@elsewhere.TEST'];
    const made = await auth.api('POST', '/api/v1/aliases', 'admin', { address: 'away@example.test', targets });
    assert.equal(made.status, 201);
    const { results } = await auth.bus.request(
      'directory.resolve',
      { addresses: ['away@example.test'] },
      { timeoutMs: 1_000 },
    );
    const [found] = results;
    assert.ok(found?.kind === 'local');
    assert.deepEqual(
      [found.targets.map(({ address }) => address), found.outside],
      [['bob@example.test'], [{ address: 'Bob@elsewhere.test', domain: 'elsewhere.test' }]],
    );
  });

  it('an alias that would not work is refused, and says why', async () => {
    const post = (address: string, ...targets: string[]) =>
      auth.api('POST', '/api/v1/aliases', 'admin', { address, targets });
    await post('inner@example.test', 'alice@example.test');
    await post('outer@example.test', 'inner@example.test');
    const cases: [string, string[], string][] = [
      ['alice@example.test', ['bob@example.test'], 'alreadyExists'],
      ['inner@example.test', ['bob@example.test'], 'alreadyExists'],
      ['x@elsewhere.test', ['bob@example.test'], 'noDomain'],
      ['x@example.test', ['bob@elsewhere.test', 'bob@printer'], 'impossibleTarget'],
      ['x@example.test', ['bob@example.test', 'nobody@example.test'], 'unknownTarget'],
      ['x@example.test', ['x@example.test'], 'aliasLoop'],
      ['@example.test', ['nobody@example.test'], 'aliasLoop'],
      ['x', ['bob@example.test'], 'invalidRequest'],
      ['x@example.test', [], 'invalidRequest'],
      ['x@example.test', ['x'], 'invalidRequest'],
      ['x@example.test', Array.from({ length: 1001 }, (_, i) => `u${i}@example.test`), 'invalidRequest'],
    ];
    for (const [address, targets, code] of cases) {
      assert.equal((await post(address, ...targets)).body['code'], code, `${address} ${targets[0]}`);
    }
    const loop = await auth.api('PATCH', '/api/v1/aliases/inner@example.test', 'admin', {
      targets: ['outer@example.test'],
    });
    assert.equal(loop.body['code'], 'aliasLoop');
  });

  it('every change of the directory is an event', async () => {
    const from = auth.events.length;
    const id = await make('judy');
    await auth.api('PATCH', `/api/v1/accounts/${id}`, 'admin', { displayName: 'J' });
    await auth.api('POST', `/api/v1/accounts/${id}/app-passwords`, 'admin', { name: 'x' });
    await auth.api('DELETE', `/api/v1/accounts/${id}`, 'admin');
    await auth.api('POST', '/api/v1/aliases', 'admin', { address: 'ev@example.test', targets: ['alice@example.test'] });
    await auth.api('POST', '/api/v1/domains', 'admin', { name: 'ev.test' });
    while (auth.events.length < from + 6) await new Promise((resolve) => setImmediate(resolve));
    const changes = auth.events.slice(from).map(({ data }) => ('change' in data ? data.change : ''));
    assert.deepEqual(changes, ['created', 'updated', 'credentials', 'removed', 'alias', 'domain']);
  });
});
