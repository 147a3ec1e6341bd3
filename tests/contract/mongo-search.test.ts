import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { newId } from '../../libs/runtime/ids.ts';
import { searchDocument } from '../../libs/store/mongo/mailboxes/search/search-document.ts';
import { type MongoStore, openMongoStore } from '../../libs/store/mongo/open.ts';
import type { ListCursor, MessageFilter, SearchEntry } from '../../libs/store/ports/mailboxes.ts';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { MongoLink } from '../support/mongo-link.ts';
import { Courier, listAll } from './mailboxes-courier.ts';

const mongo = await mongoForFile();

/** More than one page of a search walks past. */
const many = 5_200;

describe('search in MongoDB', { skip: mongo.skip }, () => {
  let link: MongoLink;
  /** Over the link; `other` is another process with a good connection. */
  let store: MongoStore;
  let other: MongoStore;
  let courier: Courier;
  before(async () => {
    const url = mongo.backend?.url ?? '';
    const database = freshDatabase();
    other = await openMongoStore({ url, database });
    link = await MongoLink.to(new URL(url.replace('mongodb:', 'http:')).host);
    store = await openMongoStore({ url: link.url, database });
    courier = new Courier({
      ...other,
      features: { search: true },
      addAccount: async (id) => {
        await other.database.accounts.insertOne({ _id: id });
      },
      removeAccountFromDirectory: async (id) => {
        await other.database.accounts.deleteOne({ _id: id });
      },
    });
  });
  after(async () => {
    link.heal();
    await store.close();
    await other.close();
    await link.close();
  });

  const words = (accountId: string): Promise<number> => other.database.messageSearch.countDocuments({ accountId });
  const waiting = async (accountId: string): Promise<string[]> =>
    (await other.mailboxes.unindexed(1_000)).flatMap((one) => (one.accountId === accountId ? [one.id] : []));
  const find = (accountId: string, filter: MessageFilter): Promise<string[]> =>
    listAll(other.mailboxes, accountId, filter);

  it('an index write that loses a reply, within its transaction or of its commit, is there once', async () => {
    for (const [command, collection] of [
      ['update', 'messages'],
      ['insert', 'message_search'],
      ['commitTransaction', undefined],
    ] as const) {
      const accountId = await courier.account();
      const ids = await courier.bringAll(accountId, [{ receivedAt: 2 }, { receivedAt: 1 }]);
      link.loseReplies(
        1,
        (request) => request.command === command && (collection === undefined || request.collection === collection),
      );
      await store.mailboxes.index(ids.map((id) => entry(accountId, id, 'heron')));
      assert.deepEqual(await find(accountId, { text: [['heron']] }), ids, command);
      assert.deepEqual(await waiting(accountId), []);
      assert.equal(await words(accountId), 2);
    }
  });

  it('an indexer that dies between its writes leaves nothing, and the messages wait for the next one', async () => {
    const accountId = await courier.account();
    const ids = await courier.bringAll(accountId, [{}, {}]);
    const dying = await openMongoStore({ url: link.url, database: other.database.db.databaseName });
    const marked = link.hold(({ command, collection }) => command === 'insert' && collection === 'message_search');
    const indexing = assert.rejects(dying.mailboxes.index(ids.map((id) => entry(accountId, id, 'heron'))));
    const goOn = await marked;
    // The marks are written in the transaction by now; it never commits.
    await dying.close();
    goOn();
    await indexing;
    assert.deepEqual(new Set(await waiting(accountId)), new Set(ids));
    assert.equal(await words(accountId), 0);
    await other.mailboxes.index(ids.map((id) => entry(accountId, id, 'heron')));
    assert.equal((await find(accountId, { text: [['heron']] })).length, 2);
  });

  it('a message that is expunged while it is indexed leaves no words behind, whichever is first', async () => {
    for (const indexedBefore of [false, true]) {
      const accountId = await courier.account();
      const { id } = await courier.bring(accountId);
      if (indexedBefore) await other.mailboxes.index([entry(accountId, id, 'before')]);
      const read = link.hold(({ command, collection }) => command === 'update' && collection !== 'partitions');
      const indexing = store.mailboxes.index([entry(accountId, id, 'after')]);
      const goOn = await read;
      // The message was alive when the indexer looked.
      await other.mailboxes.destroy(accountId, id, { now: Date.now() });
      goOn();
      await indexing;
      assert.equal(await words(accountId), 0);
      assert.deepEqual(await find(accountId, { text: [['after']] }), []);
    }
  });

  it('an account that goes takes its words with it', async () => {
    const accountId = await courier.account();
    const ids = await courier.bringAll(accountId, [{}, {}, {}]);
    await other.mailboxes.index(ids.map((id) => entry(accountId, id, 'heron')));
    assert.equal(await words(accountId), 3);
    await courier.store.removeAccountFromDirectory(accountId);
    while ((await other.mailboxes.removeAccount(accountId, 2)) > 0);
    assert.equal(await words(accountId), 0);
  });

  it('changed flags and other mailboxes change what a search with them finds, and write no words', async () => {
    const accountId = await courier.account();
    const { id } = await courier.bring(accountId);
    await other.mailboxes.index([entry(accountId, id, 'heron')]);
    const before = await other.database.messageSearch.findOne({ _id: id });
    const archive = await courier.mailboxId(accountId, 'archive');
    await other.mailboxes.update(accountId, id, { keywords: { $seen: true }, mailboxIds: { [archive]: true } }, {});
    for (const mailbox of ['inbox', 'archive']) {
      assert.deepEqual(await find(accountId, { text: [['heron']], mailbox, unread: false }), [id]);
      assert.deepEqual(await find(accountId, { text: [['heron']], mailbox, unread: true }), []);
    }
    assert.deepEqual(await other.database.messageSearch.findOne({ _id: id }), before);
    assert.deepEqual(await waiting(accountId), []);
  });

  it('words whose short forms are the same are told apart', async () => {
    const accountId = await courier.account();
    const ids = await courier.bringAll(accountId, [{ receivedAt: 2 }, { receivedAt: 1 }]);
    await other.mailboxes.index([entry(accountId, ids[0]!, 'costarring'), entry(accountId, ids[1]!, 'liquid')]);
    const [one, two] = await other.database.messageSearch.find({ accountId }).toArray();
    // A known pair of FNV-1a in 32 bits.
    assert.deepEqual(one?.terms, two?.terms);
    assert.deepEqual(await find(accountId, { text: [['costarring']] }), [ids[0]]);
    assert.deepEqual(await find(accountId, { text: [['liquid']] }), [ids[1]]);
  });

  it('a search that passes over many hits answers short pages and comes to the last message', async () => {
    const accountId = await courier.account();
    const wanted = await courier.bringAll(accountId, [{ receivedAt: 1_001 }, { receivedAt: 1_000 }]);
    await other.mailboxes.index(wanted.map((id) => entry(accountId, id, 'common rare')));
    await bringMany(accountId, (n) => 2_000 + n);
    for (const filter of [{ mailbox: 'inbox' }, { from: [['nobody']] }] as const) {
      const pages = await pagesOf(accountId, { ...filter, text: [['common']] });
      assert.deepEqual(pages.flat(), 'mailbox' in filter ? wanted : []);
    }
    const [first] = await pagesOf(accountId, { mailbox: 'inbox', text: [['common']] });
    assert.deepEqual(first, []);
    const rare = await pagesOf(accountId, { text: [['common'], ['rare']] });
    assert.deepEqual(rare, [wanted]);
  });

  it('ends also where all hits came in one millisecond, each found once', async () => {
    const accountId = await courier.account();
    const [newest, oldest] = await courier.bringAll(accountId, [{ receivedAt: 2_000 }, { receivedAt: 1_000 }]);
    await other.mailboxes.index([newest!, oldest!].map((id) => entry(accountId, id, 'common')));
    const others = await bringMany(accountId, () => 2_000);
    assert.deepEqual((await pagesOf(accountId, { mailbox: 'inbox', text: [['common']] })).flat(), [newest, oldest]);
    const all = (await pagesOf(accountId, { text: [['common']] }, 2_000)).flat();
    assert.deepEqual(all, [...[...others, newest!].sort((a, b) => (a < b ? 1 : -1)), oldest]);
  });

  /** Messages in the archive with the word `common`, as they are in the store. */
  async function bringMany(accountId: string, receivedAt: (n: number) => number): Promise<string[]> {
    const { id } = await courier.bring(accountId, { role: 'archive', receivedAt: 1 });
    const template = await other.database.messages.findOne({ _id: id });
    assert.ok(template !== null);
    await other.mailboxes.destroy(accountId, id, { now: Date.now() });
    const rows = Array.from({ length: many }, (_, n) => {
      const own = { _id: newId(), messageId: newId(), modseq: 1_000_000 + n, receivedAt: receivedAt(n) };
      return { ...template, ...own, searched: 1 as const };
    });
    await other.database.messages.insertMany(rows);
    await other.database.messageSearch.insertMany(
      rows.map((row) => searchDocument(entry(accountId, row._id, 'common'), row)),
    );
    return rows.map(({ _id }) => _id);
  }

  /** Ids, page by page; fails when the pages don't end. */
  async function pagesOf(accountId: string, filter: MessageFilter, limit = 50): Promise<string[][]> {
    const pages: string[][] = [];
    let cursor: ListCursor | null | undefined;
    do {
      const page = await other.mailboxes.list(accountId, filter, { limit, ...(cursor ? { cursor } : {}) });
      pages.push(page.messages.map(({ id }) => id));
      cursor = page.next;
      assert.ok(pages.length < 10);
    } while (cursor !== null);
    return pages;
  }
});

function entry(accountId: string, id: string, text: string): SearchEntry {
  return { accountId, id, from: [], to: [], subject: [], text: text.split(' ') };
}
