import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ApiClient, apiClient, createAccount } from '../support/api-client.ts';
import { allIn, mine } from '../support/reading.ts';
import { startSystem, type System } from '../support/system.ts';

type Account = Awaited<ReturnType<typeof createAccount>>;

describe('sending to other domains over HTTP, and cancelling before it goes', () => {
  let waypost: System;
  let admin: ApiClient;
  let ann: Account;
  let ben: Account;

  before(async () => {
    waypost = await startSystem({ WAYPOST_SAMPLE_ACCOUNTS: 'false', WAYPOST_ROUTES: 'intranet=smtp://127.0.0.1:9' });
    admin = apiClient(waypost.api, waypost.admin);
    ann = await createAccount(waypost.api, waypost.admin, 'ann@example.test');
    ben = await createAccount(waypost.api, waypost.admin, 'ben@example.test');
  });
  after(() => waypost.dispose());

  const post = (from: ApiClient, path: string, body: object = {}) =>
    from.request('POST', `${mine}/messages${path}`, body);
  const rowsOf = async (messageId: string) => {
    const { items } = await admin.get('/api/v1/queue/deliveries?limit=200');
    return items.filter((row: { messageId: string }) => row.messageId === messageId);
  };
  const later = (): string => new Date(Date.now() + 3_600_000).toISOString();
  const far = { to: [{ email: 'Friend@Far.test' }, { email: 'ben@example.test' }], cc: [{ email: 'x@intranet' }] };

  it('outside recipients are queued for their domains, all of them at sendAt', async () => {
    const sendAt = later();
    const answer = await post(ann, '', { ...far, subject: 'out', sendAt });
    assert.equal(answer.status, 202, JSON.stringify(answer.body));
    const rows = await rowsOf(answer.body.id);
    assert.deepEqual(
      rows
        .filter(({ destination }: { destination: string }) => !destination.startsWith('local:'))
        .map(({ recipient, destination, state }: Record<string, string>) => [recipient, destination, state])
        .toSorted(),
      [
        ['Friend@Far.test', 'far.test', 'queued'],
        ['x@intranet', 'intranet', 'queued'],
      ],
    );
    assert.equal(rows.length, 4);
    assert.ok(rows.every(({ dueAt }: { dueAt: string }) => Date.parse(dueAt) === Date.parse(sendAt)));
  });

  it('a recipient who can’t be anywhere is named, and nothing is sent', async () => {
    const to = ['a@printer', 'a@[192.0.2.1]', 'a@x.invalid', 'nobody@example.test', 'a b'].map((email) => ({ email }));
    const answer = await post(ann, '', { to: [...far.to, ...to], subject: 'none' });
    assert.deepEqual([answer.status, answer.body.code], [422, 'recipientsRefused']);
    assert.deepEqual(
      answer.body.recipients.map(({ reason }: { reason: string }) => reason),
      ['impossibleDomain', 'impossibleDomain', 'impossibleDomain', 'unknown', 'invalidAddress'],
    );
  });

  it('its sender cancels what was put off: nobody gets it, and nothing is kept in Sent', async () => {
    const { id } = (await post(ann, '', { ...far, subject: 'cancelled', sendAt: later() })).body;
    const answer = await post(ann, `/${id}/cancel`);
    assert.deepEqual([answer.status, answer.body], [200, { id, cancelled: 4 }]);
    assert.ok((await rowsOf(id)).every(({ state }: { state: string }) => state === 'cancelled'));
    assert.deepEqual((await post(ann, `/${id}/cancel`)).body, { id, cancelled: 0 }, 'again: it is done');
    const [{ id: deliveryId }] = await rowsOf(id);
    const { trace } = await admin.get(`/api/v1/queue/deliveries/${deliveryId}`);
    assert.ok(JSON.stringify(trace).includes(ann.address), JSON.stringify(trace));
    assert.equal((await allIn(ann, '&mailbox=sent')).filter(({ subject }) => subject === 'cancelled').length, 0);
  });

  it('another’s message is not found, and one that has gone can’t be cancelled', async () => {
    const { id } = (await post(ann, '', { ...far, subject: 'not yours', sendAt: later() })).body;
    assert.equal((await post(ben, `/${id}/cancel`)).status, 404);
    assert.equal((await post(admin, `/${id}/cancel`)).status, 404);
    assert.equal((await post(ann, '/no-such-id/cancel')).status, 404);
    const gone = (await post(ann, '', { to: [{ email: ben.address }], subject: 'gone' })).body.id;
    const answer = await post(ann, `/${gone}/cancel`);
    assert.deepEqual([answer.status, answer.body.code], [409, 'conflict']);
  });
});
