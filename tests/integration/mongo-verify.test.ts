import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Binary } from 'mongodb';
import type { Blobs } from '../../libs/blobs/port.ts';
import { mongoBlobs } from '../../libs/store/mongo/blobs/blobs.ts';
import { type MongoStore, openMongoStore } from '../../libs/store/mongo/open.ts';
import { newestReadable } from '../../libs/store/mongo/schema/version.ts';
import { verifyMongoStore } from '../../libs/store/mongo/verify/verify.ts';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { Courier } from '../contract/mailboxes-courier.ts';
import { appended } from '../contract/mailboxes-messages.ts';
import { enqueue, makeMessage } from '../contract/spool-messages.ts';

const mongo = await mongoForFile();

describe('the look through a store in MongoDB', { skip: mongo.skip }, () => {
  let store: MongoStore;
  let blobs: Blobs;
  let courier: Courier;
  let accountId: string;
  let messageIds: string[];
  let blobRef: string;
  before(async () => {
    store = await openMongoStore({ url: mongo.backend?.url ?? '', database: freshDatabase() });
    blobs = mongoBlobs(store.database);
    courier = courierOf(store);
    accountId = await courier.account();
    messageIds = await courier.bringAll(accountId, [{}, { keywords: ['$seen'] }, {}]);
    const draft = await store.mailboxes.append(accountId, appended('A draft'));
    await store.mailboxes.update(accountId, draft.id, { keywords: { $seen: true } }, {});
    await store.mailboxes.destroy(accountId, messageIds[2]!, { now: Date.now() });
    const large = randomBytes(700_000);
    const put = await blobs.put(
      (async function* () {
        yield large;
      })(),
      AbortSignal.timeout(10_000),
    );
    blobRef = put.ref;
    const body = { kind: 'blob', ref: put.ref } as const;
    await enqueue(store.spool, makeMessage({ body, sizeBytes: put.sizeBytes, sha256: put.sha256 }));
  });
  after(() => store.close());

  const faults = async (): Promise<readonly string[]> => (await verifyMongoStore(store.database, blobs)).faults;

  /** `harm` is told in a line that matches, and nothing after `mend`. */
  async function isTold(harm: () => Promise<unknown>, mend: () => Promise<unknown>, line: RegExp): Promise<void> {
    await harm();
    const told = await faults();
    assert.equal(told.filter((fault) => line.test(fault)).length, told.length, told.join('\n'));
    assert.ok(told.length > 0, String(line));
    await mend();
    assert.deepEqual(await faults(), []);
  }

  it('reads every body and finds a healthy store healthy', async () => {
    // Three delivered ones, the draft, the large one.
    assert.deepEqual(await verifyMongoStore(store.database, blobs), { bodies: 5, accounts: 1, faults: [] });
  });

  it('finds nothing wrong while mail comes, is moved and goes', async () => {
    const stop = new AbortController();
    const busy = courierOf(store);
    const other = await busy.account();
    let rounds = 0;
    const working = (async () => {
      while (!stop.signal.aborted) {
        const [id] = await busy.bringAll(other, [{}, {}]);
        await store.mailboxes.update(other, id!, { keywords: { $seen: true } }, {});
        if (rounds % 3 === 0) await store.mailboxes.destroy(other, id!, { now: Date.now() });
        rounds += 1;
      }
    })();
    try {
      for (let look = 0; look < 8 || rounds < 10; look += 1) assert.deepEqual(await faults(), []);
    } finally {
      stop.abort();
      await working;
    }
  });

  it('tells of bytes that changed, and of a size that is another', async () => {
    const { accepts } = store.database;
    const found = await accepts.findOne({ bytes: { $exists: true } });
    const { _id, bytes, sizeBytes } = found!;
    const changed = Buffer.from(bytes!.buffer);
    changed[3]! ^= 1;
    const set = (fields: object) => () => accepts.updateOne({ _id }, { $set: fields });
    const sha256 = createHash('sha256').update(changed).digest('hex');
    await isTold(set({ bytes: new Binary(changed) }), set({ bytes }), new RegExp(`^message ${_id}: ${sha256} where`));
    await isTold(set({ sizeBytes: 1 }), set({ sizeBytes }), /: \d+ bytes where 1 were accepted$/);
  });

  it('tells of a large body that lost a chunk', async () => {
    const chunks = store.database.db.collection('blobs.chunks');
    const chunk = await chunks.findOne({ files_id: blobRef, n: 1 });
    await isTold(
      () => chunks.deleteOne({ _id: chunk!._id }),
      () => chunks.insertOne(chunk!),
      /^message .*: its bytes can’t be read \(.*chunk 1 is missing/,
    );
  });

  it('tells of counts, quota use and modseqs that are not those of the messages', async () => {
    const { mailAccounts } = store.database;
    const account = (await mailAccounts.findOne({ _id: accountId }))!;
    const inbox = await courier.mailboxId(accountId, 'inbox');
    const change = (fields: Record<string, number>) => () =>
      mailAccounts.updateOne({ _id: accountId }, { $inc: fields });
    const back = () => mailAccounts.replaceOne({ _id: accountId }, account);
    await isTold(change({ [`mailboxes.${inbox}.unread`]: 1 }), back, new RegExp(`^mailbox ${inbox}: its counts`));
    await isTold(change({ usedBytes: 1 }), back, new RegExp(`^account ${accountId}: its use`));
    await isTold(change({ modseq: -2 }), back, /^message .*: its modseq \d+ is past the account’s/);
    await isTold(
      change({ [`mailboxes.${inbox}.uidNext`]: -3 }),
      back,
      /^message .*: its UID in mailbox .* was never given/,
    );
  });

  it('tells of messages and open deliveries whose bytes are gone', async () => {
    const { accepts } = store.database;
    const open = (await accepts.findOne({ blob: blobRef }))!;
    const inMailbox = (await accepts.findOne({ bytes: { $exists: true } }))!;
    for (const [accept, line] of [
      [open, /^delivery .*: its message is missing$/],
      [inMailbox, /^message .*: its bytes are missing/],
    ] as const) {
      await isTold(
        () => accepts.deleteOne({ _id: accept._id }),
        () => accepts.insertOne(accept),
        line,
      );
    }
  });

  it('tells of documents of a newer release, and of an index that is missing', async () => {
    const v = newestReadable + 1;
    const { accepts } = store.database;
    const { _id } = (await accepts.findOne({}))!;
    const setVersion = (version: number) => () => accepts.updateOne({ _id }, { $set: { v: version } } as never);
    await isTold(setVersion(v), setVersion(1), new RegExp(`^message ${_id} is of version ${v}, which a newer release`));
    await isTold(
      () => accepts.dropIndex('accepts_check'),
      () =>
        accepts.createIndex(
          { checkAt: 1 },
          { name: 'accepts_check', partialFilterExpression: { checkAt: { $gte: 0 } } },
        ),
      /^index accepts\.accepts_check is missing: run `waypost migrate`$/,
    );
  });
});

function courierOf(store: MongoStore): Courier {
  const { accounts } = store.database;
  return new Courier({
    ...store,
    features: { search: false },
    addAccount: async (id) => {
      await accounts.insertOne({ _id: id });
    },
    removeAccountFromDirectory: async (id) => {
      await accounts.deleteOne({ _id: id });
    },
  });
}
