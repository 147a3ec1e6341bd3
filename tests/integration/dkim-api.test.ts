import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createSigner } from '../../libs/mail/dkim/signer.ts';
import { createSecretBox } from '../../libs/runtime/secret-box.ts';
import { mailauthResults } from '../support/dkim-verify.ts';
import { type AuthFixture, openAuth } from './auth-fixture.ts';

const secretsKey = Buffer.alloc(32, 9).toString('base64');
const path = '/api/v1/domains/example.test/dkim';

interface Key {
  selector: string;
  algorithm: string;
  state: string;
  removeAt: string | null;
  waitsForRecord: boolean;
  record: { name: string; value: string; strings: string[]; zoneLine: string };
}

describe('DKIM keys over HTTP', () => {
  let auth: AuthFixture;
  before(async () => {
    auth = await openAuth({ env: { WAYPOST_SECRETS_KEY: secretsKey } });
  });
  after(() => auth.close());

  const call = async (method: string, at: string, body?: unknown, status = 200): Promise<Record<string, unknown>> => {
    const answer = await auth.api(method, at, 'admin', body);
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    assert.ok(!/PRIVATE KEY|aes256gcm|plain:/.test(JSON.stringify(answer.body)));
    return answer.body;
  };
  const keys = async (): Promise<Key[]> => (await call('GET', path))['items'] as Key[];
  const message = Buffer.from('From: alice@example.test\r\nSubject: Hi\r\n\r\nHello\r\n');
  const results = async (): Promise<string[]> => {
    const secrets = createSecretBox([secretsKey]);
    const signer = createSigner({ dkimKeys: auth.store.dkimKeys, secrets, clock: auth.clock });
    const signed = await signer.sign(message, { reversePath: '', isOurs: true });
    if ('unsigned' in signed) return [signed.unsigned];
    const records = Object.fromEntries((await keys()).map(({ record }) => [record.name, [record.strings.join('')]]));
    return mailauthResults(Buffer.concat([signed.header, message]), records);
  };

  it('is for administrators, and for domains of ours', async () => {
    assert.equal((await auth.api('GET', path)).status, 401);
    for (const [method, at, body] of [
      ['GET', path],
      ['POST', path, { algorithm: 'rsa-sha256' }],
      ['POST', `${path}/rotate`, {}],
    ] as const) {
      assert.equal((await auth.api(method, at, 'alice', body)).status, 403, method);
    }
    const elsewhere = '/api/v1/domains/elsewhere.test/dkim';
    assert.equal((await auth.api('POST', elsewhere, 'admin', { algorithm: 'rsa-sha256' })).status, 404);
    assert.equal((await auth.api('GET', elsewhere, 'admin')).status, 404);
    assert.equal((await auth.api('POST', path, 'admin', { algorithm: 'rsa-sha1' })).status, 400);
    assert.equal((await auth.api('POST', path, 'admin', { algorithm: 'rsa-sha256', selector: 'a.b' })).status, 400);
  });

  it('a key is made, signs once it is active, and what verifiers need is its record', async () => {
    const made = (await call('POST', path, { algorithm: 'rsa-sha256' }, 201)) as unknown as Key;
    assert.match(made.selector, /^wp-\d{8}-rsa$/);
    assert.equal(made.state, 'new');
    assert.deepEqual(await results(), ['noKey']);
    await call('POST', `${path}/${made.selector}/activate`, {});
    assert.deepEqual(await results(), [`example.test/${made.selector} pass`]);
    const second = await call('POST', path, { algorithm: 'rsa-sha256' }, 201);
    assert.equal(second['selector'], `${made.selector}-2`);
    await call('DELETE', `${path}/${String(second['selector'])}`, undefined, 204);
    assert.equal((await auth.api('DELETE', `${path}/${made.selector}`, 'admin')).body['code'], 'dkimKeyActive');
  });

  it('a private key is in the store only encrypted', async () => {
    const [stored] = await auth.store.dkimKeys.active(['example.test']);
    assert.match(stored?.privateKey ?? '', /^aes256gcm:/);
  });

  it('a rotation makes new keys and lets the old ones go after their time; repeated, it makes no more', async () => {
    const [old] = await keys();
    const once = await call('POST', `${path}/rotate`, {});
    assert.deepEqual(await call('POST', `${path}/rotate`, {}), once);
    const [waiting] = once['items'] as Key[];
    assert.deepEqual([waiting?.state, waiting?.waitsForRecord], ['new', true]);
    assert.deepEqual(await results(), [`example.test/${old?.selector} pass`]);
    await call('POST', `${path}/rotate`, { now: true, keepDays: 3 });
    assert.deepEqual(Object.fromEntries((await keys()).map(({ selector, state }) => [selector, state])), {
      [String(old?.selector)]: 'retired',
      [String(waiting?.selector)]: 'active',
    });
    assert.deepEqual(await results(), [`example.test/${waiting?.selector} pass`]);
    const removeAt = Date.parse((await keys()).find(({ state }) => state === 'retired')?.removeAt ?? '');
    assert.ok(Math.abs(removeAt - auth.clock.nowMs() - 3 * 86_400_000) < 60_000);
  });

  it('without a resolver a check says that it does not know', async () => {
    const [key] = await keys();
    assert.equal((await call('GET', `${path}/${key?.selector}/check`))['result'], 'unknown');
  });
});
