import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Verified } from '../../libs/bus/requests.ts';
import { type AuthFixture, eventually, openAuth } from './auth-fixture.ts';

describe('logins', () => {
  let auth: AuthFixture;
  before(async () => {
    auth = await openAuth();
  });
  after(() => auth.close());

  let networks = 0;
  /** An address from a network that nothing has failed from. */
  const elsewhere = (): string => `198.51.${Math.floor(++networks / 256)}.${networks % 256}`;

  const make = async (name: string, fields: object = {}): Promise<string> => {
    const body = { address: `${name}@example.test`, password: `${name}-password`, ...fields };
    const made = await auth.api('POST', '/api/v1/accounts', 'admin', body);
    assert.equal(made.status, 201);
    return String(made.body['id']);
  };

  it('the first start makes the administrator and two samples, a second start nobody', async () => {
    for (const [name, password] of Object.entries(auth.passwords)) {
      const verified = await auth.login(`${name}@example.test`, password);
      assert.equal(verified.ok && verified.identity.admin, name === 'admin');
    }
    assert.deepEqual(await auth.auth.ensureFirstAccounts(), []);
  });

  it('the right password is the account, in whatever case the address is typed, and for the first domain without it', async () => {
    const { alice } = auth.passwords;
    for (const username of ['alice@example.test', 'ALICE@Example.Test', 'alice']) {
      const verified = await auth.login(username, alice);
      assert.deepEqual(verified.ok && [verified.identity.address, verified.identity.scopes], [
        'alice@example.test',
        [],
      ]);
    }
  });

  it('B3: a wrong password, an unknown user, a disabled account and what is no address get the same answer for the same work', async () => {
    await make('disabled', { enabled: false });
    await auth.api('POST', '/api/v1/aliases', 'admin', {
      address: 'team@example.test',
      targets: ['alice@example.test'],
    });
    const attempts = [
      ['alice@example.test', 'wrong-password'],
      ['nobody@example.test', 'wrong-password'],
      ['nobody@elsewhere.test', 'wrong-password'],
      ['disabled@example.test', 'disabled-password'],
      ['disabled@example.test', 'wrong-password'],
      ['team@example.test', auth.passwords.alice],
      ['no address', 'wrong-password'],
      ['', ''],
      ['alice@example.test', ''],
    ];
    for (const [username = '', password = ''] of attempts) {
      const before = await auth.value('waypost_auth_password_hashes_total', { operation: 'verify' });
      const failures = await auth.value('waypost_login_failures_total', { via: 'smtp', reason: 'invalid' });
      assert.deepEqual(await auth.login(username, password, elsewhere()), { ok: false, reason: 'invalid' }, username);
      assert.equal(
        (await auth.value('waypost_auth_password_hashes_total', { operation: 'verify' })) - before,
        1,
        username,
      );
      assert.equal(
        (await auth.value('waypost_login_failures_total', { via: 'smtp', reason: 'invalid' })) - failures,
        1,
      );
    }
  });

  it('a login costs one argon2id computation, however many application passwords there are', async () => {
    const id = await make('many-apps');
    for (let i = 0; i < 5; i++)
      await auth.api('POST', `/api/v1/accounts/${id}/app-passwords`, 'admin', { name: `n${i}` });
    const before = await auth.value('waypost_auth_password_hashes_total', { operation: 'verify' });
    assert.equal((await auth.login('many-apps@example.test', 'many-apps-password')).ok, true);
    assert.equal((await auth.login('many-apps@example.test', 'wrong')).ok, false);
    assert.equal((await auth.value('waypost_auth_password_hashes_total', { operation: 'verify' })) - before, 2);
  });

  it('a failed login is an event with the network, never with the password', async () => {
    await auth.login('alice@example.test', 'not-the-password', '2001:db8:1:2:3:4:5:6');
    const event = await eventually(() =>
      auth.events.find(({ data }) => 'network' in data && data.network.startsWith('2001:db8:1:2')),
    );
    const network = '2001:db8:1:2::/64';
    assert.deepEqual(event.data, { username: 'alice@example.test', network, via: 'smtp', limited: false });
  });

  it('a password that was typed as the user name is not told', async () => {
    await auth.login('hunter2 hunter2', 'alice@example.test', '2001:db8:9:9::1');
    const event = await eventually(() =>
      auth.events.find(({ data }) => 'network' in data && data.network === '2001:db8:9:9::/64'),
    );
    assert.ok('username' in event.data);
    assert.equal(event.data.username, '');
  });

  it('after ten failures of a user from one network that pair is refused unseen, until the window ends', async () => {
    await make('guessed');
    const network = elsewhere();
    for (let i = 0; i < 10; i++)
      assert.deepEqual(await auth.login('guessed@example.test', `guess-${i}`, network), invalid);
    const before = await auth.value('waypost_auth_password_hashes_total');
    const limited = await auth.login('Guessed@example.test', 'guessed-password', network);
    assertLimited(limited);
    assert.equal(await auth.value('waypost_auth_password_hashes_total'), before);
    assert.equal((await auth.login('guessed@example.test', 'guessed-password', elsewhere())).ok, true);
    assert.equal((await auth.login('alice@example.test', auth.passwords.alice, network)).ok, true);
    auth.clock.advance(15 * 60_000);
    assert.equal((await auth.login('guessed@example.test', 'guessed-password', network)).ok, true);
  });

  it('an unknown user is limited like a known one', async () => {
    const network = elsewhere();
    for (let i = 0; i < 10; i++) await auth.login('ghost@example.test', `guess-${i}`, network);
    assertLimited(await auth.login('ghost@example.test', 'guess', network));
  });

  it('many guesses at the same time get no more tries than one after the other, but for those being hashed', async () => {
    await make('parallel');
    const network = elsewhere();
    const before = await auth.value('waypost_auth_password_hashes_total');
    await Promise.all(Array.from({ length: 60 }, (_, i) => auth.login('parallel@example.test', `guess-${i}`, network)));
    assert.ok((await auth.value('waypost_auth_password_hashes_total')) - before <= 12);
  });

  it('a good login clears the failures of its pair', async () => {
    await make('forgetful');
    const network = elsewhere();
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 9; i++) await auth.login('forgetful@example.test', 'wrong-one', network);
      assert.equal((await auth.login('forgetful@example.test', 'forgetful-password', network)).ok, true);
    }
  });

  it('fifty failures from many networks refuse new networks, never one that the user has logged in from', async () => {
    await make('wanted');
    const home = elsewhere();
    assert.equal((await auth.login('wanted@example.test', 'wanted-password', home)).ok, true);
    for (let i = 0; i < 50; i++)
      assert.deepEqual(await auth.login('wanted@example.test', `guess-${i}`, elsewhere()), invalid);
    assertLimited(await auth.login('wanted@example.test', 'wanted-password', elsewhere()));
    assert.equal((await auth.login('wanted@example.test', 'wanted-password', home)).ok, true);
  });

  it('a hundred failures from one network refuse it to users who are new there, an IPv6 /64 being one network', async () => {
    await make('inhabitant');
    await make('visitor');
    assert.equal((await auth.login('inhabitant@example.test', 'inhabitant-password', '2001:db8:77:1::1')).ok, true);
    for (let i = 0; i < 100; i++) {
      const client = `2001:db8:77:1::${(i + 2).toString(16)}`;
      assert.deepEqual(await auth.login(`user${i}@example.test`, 'guess', client), invalid);
    }
    assertLimited(await auth.login('visitor@example.test', 'visitor-password', '2001:db8:77:1:ffff::'));
    assert.equal((await auth.login('inhabitant@example.test', 'inhabitant-password', '2001:db8:77:1::9')).ok, true);
    assert.equal((await auth.login('visitor@example.test', 'visitor-password', '2001:db8:77:2::1')).ok, true);
  });
});

const invalid: Verified = { ok: false, reason: 'invalid' };

function assertLimited(verified: Verified): void {
  assert.ok(!verified.ok && verified.reason === 'limited');
  assert.ok((verified.retryAfterMs ?? 0) > 0 && (verified.retryAfterMs ?? 0) <= 15 * 60_000);
}
