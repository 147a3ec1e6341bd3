import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { MongoClient } from 'mongodb';
import { newId } from '../../libs/runtime/ids.ts';
import { AlreadyExists, OutcomeUnknown, Refused } from '../../libs/store/errors.ts';
import { type MongoStore, openMongoStore } from '../../libs/store/mongo/open.ts';
import type { TokenRow } from '../../libs/store/ports/credentials.ts';
import type { Account } from '../../libs/store/ports/directory.ts';
import { freshDatabase, mongoForFile, requireMongo } from '../backends/require.ts';
import { MongoLink, type MongoRequest } from '../support/mongo-link.ts';
import { account } from './directory.ts';
import { Courier } from './mailboxes-courier.ts';

const mongo = await mongoForFile();

describe('the directory in MongoDB, when replies are lost and processes meet', { skip: mongo.skip }, () => {
  let link: MongoLink;
  /** Over the link; `other` is another process with a good connection. */
  let store: MongoStore;
  let other: MongoStore;
  before(async () => {
    const url = mongo.backend?.url ?? '';
    const database = freshDatabase();
    other = await openMongoStore({ url, database, monitorCommands: true });
    link = await MongoLink.to(new URL(url.replace('mongodb:', 'http:')).host);
    store = await openMongoStore({ url: link.url, database });
    await other.directoryAdmin.addDomain({ key: 'example.test', name: 'example.test', createdAt: 1 });
    await other.directoryAdmin.addAccount(account('root@example.test', { admin: true }), 'hash');
  });
  after(async () => {
    link.heal();
    await store.close();
    await other.close();
    await link.close();
  });

  const request =
    (command: string, collection?: string) =>
    (seen: MongoRequest): boolean =>
      seen.command === command && (collection === undefined || seen.collection === collection);
  const commits = request('commitTransaction');
  /** Another's transaction was in the way of the good connection's. */
  const conflict = (): Promise<unknown> => once(other.database.client, 'commandFailed');
  const added = async (): Promise<Account> => {
    const made = account(`${newId()}@example.test`);
    await other.directoryAdmin.addAccount(made, 'hash');
    return made;
  };

  it('an account whose adding loses a reply, of any of its statements or of the commit, is added and told so', async () => {
    const lost: [number, (seen: MongoRequest) => boolean][] = [
      [1, request('insert', 'accounts')],
      [1, request('update', 'domains')],
      [1, request('insert', 'addresses')],
      [1, request('insert', 'credentials')],
      [2, commits],
    ];
    for (const [times, matches] of lost) {
      const made = account(`${newId()}@example.test`);
      link.loseReplies(times, matches);
      await store.directoryAdmin.addAccount(made, 'hash');
      assert.deepEqual((await other.directory.accounts([made.id])).get(made.id), made);
      assert.equal((await other.credentials.ofAccount(made.id)).length, 1);
      const repeated = store.directoryAdmin.addAccount(made, 'hash');
      await assert.rejects(repeated, (error) => error instanceof AlreadyExists && error.what === 'account');
    }
  });

  it('a change whose reply is lost happens once', async () => {
    const { id } = await added();
    link.loseReplies(2, commits);
    assert.equal((await store.directoryAdmin.updateAccount(id, { passwordHash: 'new' })).credentialVersion, 2);
    const app = { id: newId(), accountId: id, kind: 'app', name: 'phone', hash: 'h', createdAt: 1 } as const;
    link.loseReplies(2, commits);
    await store.credentials.addAppPassword(app);
    link.loseReplies(1, request('delete', 'credentials'));
    await store.credentials.removeAppPassword(id, app.id);
    assert.equal((await other.directory.credentialVersions([id])).get(id), 4);
    link.loseReplies(2, commits);
    await store.directoryAdmin.removeAccount(id, 9);
    assert.equal((await other.directory.accounts([id])).size, 0);
  });

  it('single writes whose reply is lost are told as what they did', async () => {
    const { directoryAdmin, loginLimits } = store;
    link.loseReplies(1, request('insert', 'domains'));
    await directoryAdmin.addDomain({ key: 'lost.test', name: 'lost.test', createdAt: 1 });
    await directoryAdmin.addAlias({ key: 'x@lost.test', address: 'x@lost.test', targets: ['a@b.test'], createdAt: 1 });
    link.loseReplies(1, request('findAndModify', 'addresses'));
    assert.deepEqual((await directoryAdmin.updateAlias('x@lost.test', ['c@d.test'])).targets, ['c@d.test']);
    link.loseReplies(1, request('delete', 'addresses'));
    await directoryAdmin.removeAlias('x@lost.test');
    link.loseReplies(1, request('delete', 'domains'));
    await directoryAdmin.removeDomain('lost.test');
    link.loseReplies(1, request('update', 'login_failures'));
    await loginLimits.fail(['lost', 'also'], 1_000, 1);
    const counts = (await other.loginLimits.failures(['lost', 'also'], 2)).map(({ count }) => count);
    assert.deepEqual(counts, [1, 1]);
  });

  it('a purge whose reply is lost is unknown, and its repeat finds nothing left', async () => {
    await other.loginLimits.fail(['old'], 1, 1);
    link.loseReplies(1, request('delete', 'login_failures'));
    await assert.rejects(store.loginLimits.purge(10, 100), OutcomeUnknown);
    assert.equal(await store.loginLimits.purge(10, 100), 0);
  });

  it('a domain that is removed between an account’s look at it and its commit: the account is refused', async () => {
    for (const matches of [request('update', 'domains'), request('insert', 'accounts')]) {
      const domain = `${newId()}.test`;
      await other.directoryAdmin.addDomain({ key: domain, name: domain, createdAt: 1 });
      const reached = link.hold(matches);
      const adding = store.directoryAdmin.addAccount(account(`a@${domain}`), 'hash');
      const goOn = await reached;
      await other.directoryAdmin.removeDomain(domain);
      goOn();
      await assert.rejects(adding, refusedBy('noDomain'));
    }
  });

  it('an account that comes to its commit keeps its domain', async () => {
    await other.directoryAdmin.addDomain({ key: 'kept.test', name: 'kept.test', createdAt: 1 });
    const reached = link.hold(commits);
    const adding = store.directoryAdmin.addAccount(account('a@kept.test'), 'hash');
    const goOn = await reached;
    const removing = assert.rejects(other.directoryAdmin.removeDomain('kept.test'), refusedBy('domainInUse'));
    goOn();
    await adding;
    await removing;
  });

  it('nothing is added to an account that is removed at the same time: the later of the two sees the other', async () => {
    const { id: accountId } = await added();
    const reached = link.hold(request('insert', 'tokens'));
    const adding = store.credentials.addToken(tokenOf(accountId));
    const goOn = await reached;
    const removing = other.directoryAdmin.removeAccount(accountId, 1);
    await Promise.race([removing, conflict()]);
    goOn();
    await Promise.all([adding, removing]);
    assert.equal((await other.directory.accounts([accountId])).size, 0);
    assert.equal(await other.database.tokens.countDocuments({ accountId }), 0);
  });

  it('the number of tokens has a cap, kept by two processes that add at the same time', async () => {
    const { id: accountId } = await added();
    const there = Array.from({ length: 499 }, () => ({ _id: newId(), v: 1 as const, ...tokenOf(accountId) }));
    await other.database.tokens.insertMany(there.map(({ id: _, ...token }) => token));
    const reached = link.hold(request('insert', 'tokens'));
    const first = store.credentials.addToken(tokenOf(accountId));
    const goOn = await reached;
    const second = assert.rejects(other.credentials.addToken(tokenOf(accountId)), refusedBy('tooManyTokens'));
    await Promise.race([second, conflict()]);
    goOn();
    await Promise.all([first, second]);
    assert.equal(await other.database.tokens.countDocuments({ accountId }), 500);
  });

  it('of the last two administrators who leave at the same time one stays, though neither has seen the other go', async () => {
    const url = mongo.backend?.url ?? '';
    const database = freshDatabase();
    const [slow, quick] = [await openMongoStore({ url: link.url, database }), await openMongoStore({ url, database })];
    try {
      await quick.directoryAdmin.addDomain({ key: 'example.test', name: 'example.test', createdAt: 1 });
      const [a, b] = ['a', 'b'].map((local) => account(`${local}@example.test`, { admin: true }));
      for (const admin of [a!, b!]) await quick.directoryAdmin.addAccount(admin, 'hash');
      // It has seen that b stays, and written nothing yet.
      const reached = link.hold(request('findAndModify', 'accounts'));
      const leaving = slow.directoryAdmin.updateAccount(a!.id, { admin: false });
      const goOn = await reached;
      const other = quick.directoryAdmin.removeAccount(b!.id, 1);
      goOn();
      const results = await Promise.allSettled([leaving, other]);
      const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
      assert.deepEqual(reasons.map(refusedBy('lastAdministrator')), [true]);
      assert.equal((await quick.directory.administrators(5)).length, 1);
    } finally {
      await slow.close();
      await quick.close();
    }
  });

  it('a delivery that saw its account before its removal leaves no mail behind, whenever it goes on', async () => {
    const courier = new Courier({
      ...other,
      features: { search: false },
      addAccount: async (id) => {
        await other.directoryAdmin.addAccount(account(`${id}@example.test`, { id }), 'hash');
      },
      removeAccountFromDirectory: (id) => other.directoryAdmin.removeAccount(id, 1),
    });
    for (const matches of [request('insert', 'mail_accounts'), request('insert', 'messages')]) {
      const accountId = await courier.account();
      const [delivery] = await courier.claimed([{ accountId }]);
      await other.database.mailAccounts.deleteOne({ _id: accountId });
      const reached = link.hold(matches);
      const delivering = store.mailboxes.deliver([delivery!], Date.now());
      const goOn = await reached;
      await courier.store.removeAccountFromDirectory(accountId);
      const removing = removeMail(other, accountId);
      if (matches({ command: 'insert', collection: 'mail_accounts' })) await removing;
      goOn();
      await delivering;
      await removing;
      assert.equal(await other.database.messages.countDocuments({ accountId }), 0);
      assert.deepEqual(await store.mailboxes.deliver([delivery!], Date.now()), [{ answer: 'noAccount' }]);
      assert.equal((await other.mailboxes.usage([accountId])).size, 0);
    }
  });

  it('documents of a newer release are read, and keep what this one doesn’t know when it changes them', async () => {
    const made = await added();
    const { db } = other.database;
    for (const collection of ['accounts', 'domains', 'addresses', 'credentials']) {
      await db.collection(collection).updateMany({}, { $set: { v: 2, later: 'kept' } });
    }
    assert.deepEqual((await other.directory.accounts([made.id])).get(made.id), made);
    await other.directoryAdmin.updateAccount(made.id, { displayName: 'New', passwordHash: 'new' });
    await other.directoryAdmin.addAccount(account(`${newId()}@example.test`), 'hash');
    for (const [collection, filter] of [
      ['accounts', { _id: made.id }],
      ['credentials', { accountId: made.id }],
      ['domains', { name: 'example.test' }],
    ] as const) {
      const found = await db.collection<{ _id: string; v: number; later?: string }>(collection).findOne(filter);
      assert.deepEqual([found?.v, found?.later], [2, 'kept']);
    }
  });

  it('an account of a release that is more than one ahead is an error for who asks for it, and left out of lists', async () => {
    const [newer, known] = [await added(), await added()];
    const set = { $set: { v: 9, admin: true, createdAt: 0 } };
    await other.database.directoryAccounts.updateOne({ _id: newer.id }, set);
    const lookup = (key: string) => other.directory.lookup({ keys: [key], domains: [] });
    const refused = refusedBy('newerDocument');
    await assert.rejects(lookup(newer.key), refused);
    assert.equal((await lookup(known.key)).entries.size, 1);
    await assert.rejects(other.directory.accounts([newer.id]), refused);
    await assert.rejects(other.directoryAdmin.updateAccount(newer.id, { enabled: false }), refused);
    assert.ok((await other.directory.administrators(1)).every(({ id }) => id !== newer.id));
    const listed = (await other.directoryAdmin.listAccounts({ limit: 1_000 })).map(({ id }) => id);
    assert.deepEqual([listed.includes(newer.id), listed.includes(known.id)], [false, true]);
    await other.database.directoryAccounts.updateOne({ _id: newer.id }, { $set: { v: 1, admin: false } });
  });
});

it('a primary that steps down under writes costs no account, doubles none and refuses none for itself', async (t) => {
  const set = await requireMongo(t, { members: 3, own: true });
  if (set === undefined) return;
  const store = await openMongoStore({ url: set.url, database: freshDatabase() });
  t.after(() => store.close());
  await store.directoryAdmin.addDomain({ key: 'example.test', name: 'example.test', createdAt: 1 });
  const acknowledged: Account[] = [];
  const errors = new Set<string>();
  let failures = 0;
  let unknown = 0;
  let writing = true;
  const writers = Array.from({ length: 4 }, async () => {
    while (writing) {
      const made = account(`${newId()}@example.test`);
      try {
        await store.directoryAdmin.addAccount(made, 'hash');
        acknowledged.push(made);
        await store.loginLimits.fail(['key'], 600_000, 1);
        failures += 1;
      } catch (error) {
        assert.ok(error instanceof Error);
        errors.add(error.name);
        if (error instanceof OutcomeUnknown) unknown += 1;
      }
    }
  });
  await reaches(() => acknowledged.length > 20);
  await using primary = new MongoClient(`mongodb://${(await set.primary()).host}/?directConnection=true`);
  await primary.db('admin').command({ replSetStepDown: 20, secondaryCatchUpPeriodSecs: 10 });
  const before = acknowledged.length;
  await reaches(() => acknowledged.length > before + 20);
  writing = false;
  await Promise.all(writers);
  for (const name of errors) assert.ok(['OutcomeUnknown', 'StoreUnavailable', 'StoreBusy'].includes(name), name);
  const ids = acknowledged.map(({ id }) => id);
  const kept = await store.directory.accounts(ids);
  assert.deepEqual(
    ids.filter((id) => !kept.has(id)),
    [],
  );
  const [counted] = await store.loginLimits.failures(['key'], 2);
  assert.ok(counted!.count >= failures && counted!.count <= failures + unknown, `${counted!.count} of ${failures}`);
});

function tokenOf(accountId: string): TokenRow {
  const id = newId();
  return { id, accountId, name: 'script', scopes: ['mail:read'], hash: id, expiresAt: null, createdAt: 1 };
}

const refusedBy =
  (rule: string) =>
  (error: unknown): boolean =>
    error instanceof Refused && error.rule === rule;

async function removeMail({ mailboxes }: MongoStore, accountId: string): Promise<void> {
  while ((await mailboxes.removeAccount(accountId, 100)) > 0);
}

async function reaches(condition: () => boolean): Promise<void> {
  const begun = performance.now();
  while (!condition()) {
    assert.ok(performance.now() - begun < 60_000, 'within a minute');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
