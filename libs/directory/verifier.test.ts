import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { createMemoryBus } from '../bus/memory/bus.ts';
import { BusUnavailable } from '../bus/port.ts';
import type { Verified } from '../bus/requests.ts';
import { createLogger } from '../ops/logger.ts';
import { newId } from '../runtime/ids.ts';
import { createVerifier } from './verifier.ts';

const accountId = newId();
const login = {
  username: 'alice@example.test',
  password: 'correct horse',
  remoteAddress: '192.0.2.1',
  via: 'http',
} as const;

/** An auth that counts how often it is asked, a directory with one account, and a clock that the test turns. */
function setUp(options: { expiresAt?: number } = {}) {
  const clock = { nowMs: () => time.ms, monotonicMs: () => time.ms, sleep: () => Promise.resolve() };
  const time = { ms: 1_000_000 };
  const metrics = new Registry();
  const bus = createMemoryBus({
    source: '/test',
    clock,
    log: createLogger({ level: 'silent', service: 'test' }),
    metrics,
  });
  const state = { asked: 0, version: 1, time };
  const answer = async (good: boolean): Promise<Verified> => {
    state.asked++;
    if (!good) return { ok: false, reason: 'invalid' };
    const { address } = { address: login.username };
    return {
      ok: true,
      identity: { accountId, address, admin: false, credentialVersion: state.version, scopes: [], ...options },
    };
  };
  const passwords = bus.respond('auth.verify', ({ password }) => answer(password === login.password));
  bus.respond('auth.token', ({ token }) => answer(token === 'good'));
  const directory = {
    credentialVersions: async () => new Map(state.version === 0 ? [] : [[accountId, state.version]]),
  };
  return { state, verifier: createVerifier({ bus, directory, clock, metrics }), stopAuth: () => passwords.close() };
}

test('a good credential is asked of auth once in 15 minutes', async () => {
  const { state, verifier } = setUp();
  assert.equal((await verifier.password(login)).ok, true);
  state.time.ms += 14 * 60_000;
  assert.equal((await verifier.password(login)).ok, true);
  assert.equal(state.asked, 1);
  state.time.ms += 60_001;
  assert.equal((await verifier.password(login)).ok, true);
  assert.equal(state.asked, 2);
});

test('a wrong password is refused each time, beside a good one that is known', async () => {
  const { state, verifier } = setUp();
  assert.equal((await verifier.password(login)).ok, true);
  for (const password of ['wrong', 'wrong', `${login.password} `]) {
    assert.deepEqual(await verifier.password({ ...login, password }), { ok: false, reason: 'invalid' });
  }
  assert.equal(state.asked, 4);
});

test('a changed credentialVersion ends what was verified within 2 s', async () => {
  const { state, verifier } = setUp();
  await verifier.password(login);
  await verifier.password(login);
  state.version = 2;
  state.time.ms += 2000;
  await verifier.password(login);
  assert.equal(state.asked, 2);
});

test('while auth is away a verified credential stays good, until the account is disabled', async () => {
  const { state, verifier, stopAuth } = setUp();
  await verifier.password(login);
  await stopAuth();
  assert.equal((await verifier.password(login)).ok, true);
  await assert.rejects(verifier.password({ ...login, password: 'another' }), BusUnavailable);
  state.version = 0;
  state.time.ms += 2000;
  await assert.rejects(verifier.password(login), BusUnavailable);
});

test('a token ends at its time, also when it was verified before', async () => {
  const { state, verifier } = setUp({ expiresAt: 1_000_500 });
  const token = { token: 'good', remoteAddress: '192.0.2.1', via: 'http' } as const;
  await verifier.token(token);
  await verifier.token(token);
  assert.equal(state.asked, 1);
  state.time.ms += 500;
  await verifier.token(token);
  assert.equal(state.asked, 2);
});

test('equal checks at the same time ask once, and one network has only so many under way', async () => {
  const { state, verifier } = setUp();
  await Promise.all(Array.from({ length: 100 }, () => verifier.password(login)));
  assert.equal(state.asked, 1);
  const guesses = Array.from({ length: 100 }, (_, n) => verifier.password({ ...login, password: `guess ${n}` }));
  const other = verifier.password({ ...login, password: 'mine', remoteAddress: '192.0.2.2' });
  const refused = await Promise.all(guesses);
  assert.equal(refused.filter((one) => !one.ok && one.reason === 'limited').length, 68);
  assert.deepEqual(await other, { ok: false, reason: 'invalid' });
});
