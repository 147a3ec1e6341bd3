import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { type ApiClient, apiClient, createAccount } from '../support/api-client.ts';
import { allIn, arrived, mailboxId, mine, queueIsDone, rawOf, sha256 } from '../support/reading.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { startSystem, type System } from '../support/system.ts';

type Account = Awaited<ReturnType<typeof createAccount>>;

describe('writing and keeping mail over HTTP', () => {
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

  /** Puts a message into ann's inbox and answers its id. */
  async function delivered(subject: string): Promise<string> {
    await server.send('c@sender.test', [ann.address], `Subject: ${subject}\r\n\r\nhello\r\n`);
    return (await arrived(ann, subject)).id;
  }

  it('a message with an attachment is sent, kept in Sent, and its blind recipients are told to nobody', async () => {
    const cleo = await createAccount(waypost.api, waypost.admin, 'cleo@example.test');
    const content = randomBytes(50_000);
    const { status, body } = await ann.request('POST', `${mine}/messages`, {
      to: [{ name: 'Bén', email: ben.address }],
      bcc: [{ email: cleo.address }],
      subject: 'Größe & attachment',
      text: 'plain text\n.with a dot\n',
      html: '<p>html text</p>',
      attachments: [{ name: 'größe.bin', type: 'application/x-noise', content: content.toString('base64') }],
    });
    assert.equal(status, 202, JSON.stringify(body));
    for (const reader of [ben, cleo]) {
      const { id } = await arrived(reader, 'Größe & attachment');
      const message = await reader.get(`${mine}/messages/${id}`);
      assert.deepEqual(message.from, [{ name: null, email: ann.address }]);
      assert.deepEqual(message.to, [{ name: 'Bén', email: ben.address }]);
      assert.equal(message.messageId, body.messageId);
      assert.equal(message.text.trimEnd(), 'plain text\n.with a dot');
      assert.match(message.html, /<p>html text<\/p>/);
      assert.deepEqual(message.attachments[0].name, 'größe.bin');
      assert.equal(sha256(await reader.bytes(`${mine}/messages/${id}/attachments/0`)), sha256(content));
      const raw = (await rawOf(reader, id)).toString();
      assert.ok(!/^bcc:|cleo@/im.test(raw), raw.slice(0, 2_000));
    }
    const sent = await arrived(ann, 'Größe & attachment', { mailbox: 'sent' });
    assert.deepEqual(sent.keywords, { $seen: true });
    assert.deepEqual(sent.mailboxIds, { [await mailboxId(ann, 'sent')]: true });
  });

  it('an Idempotency-Key sends once however often it is repeated, and is refused for another request', async () => {
    const request = { to: [{ email: ben.address }], subject: 'only once', text: 'x' };
    const post = (body: unknown, key: string) =>
      ann.request('POST', `${mine}/messages`, body, { 'idempotency-key': key });
    const answers = await Promise.all(Array.from({ length: 6 }, () => post(request, 'key 1')));
    answers.push(await post(request, 'key 1'));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [202]);
    assert.equal(new Set(answers.map(({ body }) => JSON.stringify(body))).size, 1);
    const other = await post({ ...request, subject: 'another' }, 'key 1');
    assert.deepEqual([other.status, other.body.code], [422, 'idempotencyMismatch']);
    await queueIsDone(admin);
    await arrived(ben, 'only once');
    assert.equal((await allIn(ben)).filter(({ subject }) => subject === 'only once').length, 1);
    assert.equal((await allIn(ann, '&mailbox=sent')).filter(({ subject }) => subject === 'only once').length, 1);
    assert.equal((await allIn(ben)).filter(({ subject }) => subject === 'another').length, 0);
    // The key is the account's own: another account's is not touched by it.
    const bens = await ben.request('POST', `${mine}/messages`, request, { 'idempotency-key': 'key 1' });
    assert.equal(bens.status, 202);
    assert.notEqual(bens.body.id, answers[0]!.body.id);
  });

  it('a send is refused whole when the sender is not one’s own or a recipient isn’t there', async () => {
    const refused = async (body: unknown) => {
      const answer = await ann.request('POST', `${mine}/messages`, body);
      return [answer.status, answer.body.code];
    };
    const to = [{ email: ben.address }];
    assert.deepEqual(await refused({ from: { email: ben.address }, to, subject: 'refused' }), [422, 'senderNotOwned']);
    assert.deepEqual(await refused({ to: [...to, { email: 'nobody@example.test' }], subject: 'refused' }), [
      422,
      'recipientsRefused',
    ]);
    assert.deepEqual(await refused({ to: [...to, { email: 'x@printer' }], subject: 'refused' }), [
      422,
      'recipientsRefused',
    ]);
    assert.deepEqual(await refused({ subject: 'refused' }), [422, 'noRecipients']);
    await queueIsDone(admin);
    assert.equal((await allIn(ben)).filter(({ subject }) => subject === 'refused').length, 0);
    assert.equal(
      (
        await ann.request('POST', `${mine}/messages`, {
          from: { email: 'ann+tag@example.test' },
          to,
          subject: 'from a tag',
        })
      ).status,
      202,
    );
  });

  it('a draft is in Drafts with its blind recipients, is no unread mail, and nobody gets it', async () => {
    const { status, body } = await ann.request('POST', `${mine}/messages`, {
      to: [{ email: ben.address }],
      bcc: [{ email: 'hidden@example.test' }],
      subject: 'a draft',
      text: 'not yet',
      draft: true,
    });
    assert.equal(status, 201);
    const draft = await arrived(ann, 'a draft', { mailbox: 'drafts' });
    assert.equal(draft.id, body.id);
    assert.equal(draft.keywords['$draft'], true);
    assert.deepEqual((await ann.get(`${mine}/messages/${body.id}`)).bcc, [
      { name: null, email: 'hidden@example.test' },
    ]);
    const drafts = (await ann.get(`${mine}/mailboxes`)).items.find((box: { role: string }) => box.role === 'drafts');
    assert.deepEqual([drafts.totalEmails, drafts.unreadEmails], [1, 0]);
    await queueIsDone(admin);
    assert.ok((await allIn(ben)).every(({ subject }) => subject !== 'a draft'));
  });

  it('PATCH merges keywords and mailboxes; If-Match refuses a version that is past', async () => {
    const id = await delivered('to patch');
    const path = `${mine}/messages/${id}`;
    const first = await ann.request('GET', path);
    const etag = first.headers.get('etag')!;
    const seen = await ann.request('PATCH', path, { keywords: { $seen: true, Work: true } }, { 'if-match': etag });
    assert.deepEqual([seen.status, seen.body.keywords], [200, { $seen: true, work: true }]);
    assert.notEqual(seen.headers.get('etag'), etag);
    const late = await ann.request('PATCH', path, { keywords: { $flagged: true } }, { 'if-match': etag });
    assert.deepEqual([late.status, late.body.code], [412, 'preconditionFailed']);
    const merged = await ann.request('PATCH', path, { keywords: { $flagged: true, work: null } });
    assert.deepEqual(merged.body.keywords, { $seen: true, $flagged: true });
    const [inbox, archive] = [await mailboxId(ann, 'inbox'), await mailboxId(ann, 'archive')];
    const both = await ann.request('PATCH', path, { mailboxIds: { [archive]: true } });
    assert.deepEqual(both.body.mailboxIds, { [inbox]: true, [archive]: true });
    const moved = await ann.request('PATCH', path, { mailboxIds: { [inbox]: null } });
    assert.deepEqual(moved.body.mailboxIds, { [archive]: true });
    const nowhere = await ann.request('PATCH', path, { mailboxIds: { [archive]: null } });
    assert.ok(nowhere.status === 409, 'a message is always in some mailbox');
    assert.deepEqual((await ann.get(path)).mailboxIds, { [archive]: true });
  });

  it('DELETE moves to the trash, and from there, or with permanent, expunges', async () => {
    const [id, other] = [await delivered('to delete'), await delivered('to expunge')];
    assert.equal((await ann.request('DELETE', `${mine}/messages/${id}`)).status, 204);
    assert.deepEqual((await ann.get(`${mine}/messages/${id}`)).mailboxIds, { [await mailboxId(ann, 'trash')]: true });
    assert.equal((await ann.request('DELETE', `${mine}/messages/${id}`)).status, 204);
    assert.equal((await ann.request('GET', `${mine}/messages/${id}`)).status, 404);
    assert.equal((await ann.request('DELETE', `${mine}/messages/${other}?permanent=true`)).status, 204);
    for (const path of ['', '/raw', '/attachments/0']) {
      assert.equal((await ann.request('GET', `${mine}/messages/${other}${path}`)).status, 404);
    }
    assert.ok((await allIn(ann)).every((message) => message.id !== id && message.id !== other));
  });

  it('mailboxes are made, nested, renamed, moved and deleted by the rules, and their counts are right', async () => {
    const make = (name: string, parentId: string | null = null) =>
      ann.request('POST', `${mine}/mailboxes`, { name, parentId });
    const change = (box: string, patch: unknown) => ann.request('PATCH', `${mine}/mailboxes/${box}`, patch);
    const remove = (box: string, query = '') => ann.request('DELETE', `${mine}/mailboxes/${box}${query}`);
    const projects = (await make('Projects')).body.id;
    const waypostBox = (await make('Wäypost ✉', projects)).body.id;
    assert.equal((await make('Projects')).status, 409, 'the name is taken');
    assert.equal((await make('Wäypost ✉')).status, 201, 'but not under another parent');
    assert.equal((await make('lost', '01a00000-0000-7000-8000-000000000000')).status, 404);
    assert.equal((await change(projects, { parentId: waypostBox })).status, 409, 'no circles');
    assert.equal((await change(waypostBox, { name: 'Waypost' })).body.name, 'Waypost');

    const id = await delivered('for a project');
    const inbox = await mailboxId(ann, 'inbox');
    await ann.request('PATCH', `${mine}/messages/${id}`, { mailboxIds: { [waypostBox]: true, [inbox]: false } });
    const counts = async () => {
      const { items } = await ann.get(`${mine}/mailboxes`);
      const box = items.find((each: { id: string }) => each.id === waypostBox);
      return [box.totalEmails, box.unreadEmails];
    };
    assert.deepEqual(await counts(), [1, 1]);
    await ann.request('PATCH', `${mine}/messages/${id}`, { keywords: { $seen: true } });
    assert.deepEqual(await counts(), [1, 0]);
    assert.equal((await remove(projects)).status, 409, 'it has a child');
    assert.equal((await remove(waypostBox)).status, 409, 'it has a message');
    assert.equal((await remove(inbox)).status, 409, 'mailboxes with a role stay');
    assert.equal((await change(inbox, { parentId: projects })).status, 409);
    assert.equal((await remove(waypostBox, `?moveTo=${inbox}`)).status, 204);
    assert.deepEqual((await ann.get(`${mine}/messages/${id}`)).mailboxIds, { [inbox]: true });
    assert.equal((await remove(projects)).status, 204);
    assert.equal((await remove(projects)).status, 404);
  });
});
