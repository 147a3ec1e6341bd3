import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ApiClient, apiClient, createAccount } from '../support/api-client.ts';
import { allIn, arrived, mailboxId, mine } from '../support/reading.ts';
import { startSystem, type System } from '../support/system.ts';

type Account = Awaited<ReturnType<typeof createAccount>>;

/** Well formed, and nobody's. */
const madeUp = '01a00000-0000-7000-8000-000000000000';

describe('no account sees anything of another', () => {
  let waypost: System;
  let ann: Account;
  let ben: Account;
  let operations: { method: string; path: string }[];
  /** Ids of ben's things, by what they are. */
  const bens = new Map<string, string>();

  before(async () => {
    waypost = await startSystem({ WAYPOST_SAMPLE_ACCOUNTS: 'false' });
    ann = await createAccount(waypost.api, waypost.admin, 'ann@example.test');
    ben = await createAccount(waypost.api, waypost.admin, 'ben@example.test');
    const { paths } = JSON.parse(await (await fetch(`${waypost.api}/api/openapi.json`)).text());
    operations = Object.entries<object>(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })),
    );
    const send = { to: [{ email: ben.address }], subject: 'private', attachments: [{ name: 'x', content: 'eA==' }] };
    assert.equal((await ben.request('POST', `${mine}/messages`, send)).status, 202);
    bens
      .set('account', ben.id)
      .set('message', (await arrived(ben, 'private')).id)
      .set('mailbox', (await ben.request('POST', `${mine}/mailboxes`, { name: 'Secret' })).body.id)
      .set('token', (await ben.request('POST', '/api/v1/tokens', { name: 't', scopes: ['mail:read'] })).body.id)
      .set('app-password', (await ben.request('POST', `${mine}/app-passwords`, { name: 'p' })).body.id);
  });
  after(() => waypost.dispose());

  /** Every operation with ben's id of the kind in the place of its id, and with one that was made up. */
  async function compare(client: ApiClient, kind: string, path: string, method: string): Promise<void> {
    const bodies: Record<string, unknown> = {
      'PATCH message': { keywords: { $seen: true } },
      'PATCH mailbox': { name: 'mine now' },
      'PATCH account': { displayName: 'mine now' },
      'POST account': { name: 'x', subject: 'x', to: [{ email: ben.address }] },
    };
    const body = method === 'GET' || method === 'DELETE' ? undefined : (bodies[`${method} ${kind}`] ?? {});
    const [foreign, none] = await Promise.all(
      [bens.get(kind)!, madeUp].map(async (id) => {
        const { status, headers, body: answer } = await client.request(method, path.replace('{x}', id), body);
        const sent = [...headers].filter(([name]) => name !== 'date');
        return JSON.stringify({ status, answer, sent }).replaceAll(id, 'ID');
      }),
    );
    assert.equal(foreign, none, `${method} ${path}`);
    assert.match(foreign!, /"status":(404|400|403)/, `${method} ${path}`);
  }

  it('every path of accounts answers the same for another’s id as for one that was made up', async () => {
    const ofAccounts = operations.filter(({ path }) => path.includes('{account}'));
    assert.ok(ofAccounts.length >= 15, `${ofAccounts.length}`);
    for (const { method, path } of ofAccounts) {
      const inside = path
        .replace('{account}', '{x}')
        .replace('/messages/{id}', `/messages/${bens.get('message')}`)
        .replace('/mailboxes/{id}', `/mailboxes/${bens.get('mailbox')}`)
        .replace('/app-passwords/{id}', `/app-passwords/${bens.get('app-password')}`)
        .replace('{n}', '0');
      await compare(ann, 'account', `${inside}${path.endsWith('/changes') ? '?since=1.1' : ''}`, method);
    }
  });

  it('every path of one’s own answers the same for another’s message, mailbox, token and application password', async () => {
    const kinds = [
      ['/messages/{id}', 'message'],
      ['/mailboxes/{id}', 'mailbox'],
      ['/tokens/{id}', 'token'],
      ['/app-passwords/{id}', 'app-password'],
    ] as const;
    let compared = 0;
    for (const { method, path } of operations) {
      const [place, kind] = kinds.find(([part]) => path.includes(part)) ?? [];
      if (place === undefined || kind === undefined) continue;
      const own = path.replace('{account}', 'me').replace(place, place.replace('{id}', '{x}')).replace('{n}', '0');
      await compare(ann, kind, own, method);
      compared += 1;
    }
    assert.ok(compared >= 8, `${compared}`);
  });

  it('ids of another in queries and bodies are as if they weren’t there', async () => {
    const target = bens.get('mailbox')!;
    const annsMessage = await ann.request('POST', `${mine}/messages`, { to: [{ email: ann.address }], subject: 'own' });
    assert.equal(annsMessage.status, 202);
    const { id } = await arrived(ann, 'own');
    const folder = (await ann.request('POST', `${mine}/mailboxes`, { name: 'Folder' })).body.id;
    const requests: [string, (other: string) => string, ((other: string) => unknown)?][] = [
      ['GET', (other) => `${mine}/messages?mailbox=${other}`],
      ['PATCH', () => `${mine}/messages/${id}`, (other) => ({ mailboxIds: { [other]: true } })],
      ['POST', () => `${mine}/mailboxes`, (other) => ({ name: 'inside', parentId: other })],
      ['PATCH', () => `${mine}/mailboxes/${folder}`, (other) => ({ parentId: other })],
      ['DELETE', (other) => `${mine}/mailboxes/${folder}?moveTo=${other}`],
    ];
    for (const [method, path, body] of requests) {
      const answers = [];
      for (const other of [target, madeUp]) {
        const answer = await ann.request(method, path(other), body?.(other));
        answers.push(JSON.stringify([answer.status, answer.body]).replaceAll(other, 'ID'));
      }
      assert.equal(answers[0], answers[1], `${method} ${path('ID')}`);
    }
    assert.deepEqual(await allIn(ann, '&text=private'), []);
  });

  it('administrators manage accounts and don’t read their mail', async () => {
    const admin = apiClient(waypost.api, waypost.admin);
    assert.equal((await admin.request('GET', `/api/v1/accounts/${ben.id}`)).status, 200);
    for (const path of [
      'messages',
      `messages/${bens.get('message')}`,
      `messages/${bens.get('message')}/raw`,
      'mailboxes',
      'changes?since=1.1',
      'events',
    ]) {
      assert.equal((await admin.request('GET', `/api/v1/accounts/${ben.id}/${path}`)).status, 404, path);
    }
  });

  it('nothing of ben’s has changed by all that', async () => {
    const message = await ben.get(`${mine}/messages/${bens.get('message')}`);
    assert.deepEqual([message.keywords, message.mailboxIds], [{}, { [await mailboxId(ben, 'inbox')]: true }]);
    const { items } = await ben.get(`${mine}/mailboxes`);
    assert.equal(items.find(({ id }: { id: string }) => id === bens.get('mailbox')).name, 'Secret');
    assert.equal((await ben.get(mine)).displayName, null);
    assert.equal((await ben.get('/api/v1/tokens')).items.length, 1);
    assert.equal((await ben.get(`${mine}/app-passwords`)).items.length, 1);
  });
});
