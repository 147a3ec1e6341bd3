import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { Binary } from 'mongodb';
import { BlobDamaged } from '../../libs/blobs/errors.ts';
import type { Blobs } from '../../libs/blobs/port.ts';
import { NotFound, StoreFull } from '../../libs/store/errors.ts';
import { mongoBlobs } from '../../libs/store/mongo/blobs/blobs.ts';
import { type MongoStore, openMongoStore } from '../../libs/store/mongo/open.ts';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { MongoLink } from '../support/mongo-link.ts';
import { blobsContract, collect, streamOf } from './blobs.ts';

const mongo = await mongoForFile({ members: 3, own: false });
const never = new AbortController().signal;
const mib = 1024 * 1024;

if (mongo.skip === false) {
  const { url } = mongo.backend;
  blobsContract('GridFS', async () => {
    const store = await openMongoStore({ url, database: freshDatabase() });
    return { blobs: mongoBlobs(store.database), close: () => store.close() };
  });
}

describe('GridFS, when something goes wrong', { skip: mongo.skip }, () => {
  let store: MongoStore;
  let blobs: Blobs;
  const database = freshDatabase();
  before(async () => {
    store = await openMongoStore({ url: mongo.backend?.url ?? '', database });
    blobs = mongoBlobs(store.database);
  });
  after(() => store.close());

  const put = (bytes: Buffer) => blobs.put(streamOf([bytes]), never);
  const chunksOf = (ref: string) => store.database.blobChunks.countDocuments({ files_id: ref });

  it('a primary that steps down in the middle of a body: the body is there, every byte once', async () => {
    const pieces = Array.from({ length: 30 }, () => randomBytes(200_000));
    const steppingDown = async function* (): AsyncGenerator<Uint8Array> {
      for (const [n, piece] of pieces.entries()) {
        if (n === 12) {
          const admin = store.database.client.db('admin');
          await admin
            .command({ replSetStepDown: 5, secondaryCatchUpPeriodSecs: 2, force: true })
            .catch(() => undefined);
        }
        yield piece;
      }
    };
    const { ref } = await blobs.put(steppingDown(), never);
    assert.ok((await collect(blobs.read(ref))).equals(Buffer.concat(pieces)));
    assert.equal(await chunksOf(ref), Math.ceil(6_000_000 / (255 * 1024)));
  });

  it('writes whose replies are lost, also those of the driver’s own repeat, are one body', async (t) => {
    const { host } = new URL((await primaryUrl()).replace('mongodb:', 'http:'));
    const link = await MongoLink.to(host);
    const other = await openMongoStore({ url: link.url, database });
    t.after(async () => {
      link.heal();
      await other.close();
      await link.close();
    });
    const linked = mongoBlobs(other.database);
    const whole = randomBytes(1.5 * mib);
    for (const collection of ['blobs.chunks', 'blobs.files']) {
      link.loseReplies(3, (request) => request.command === 'insert' && request.collection === collection);
      const { ref } = await linked.put(streamOf([whole]), never);
      assert.ok((await collect(blobs.read(ref))).equals(whole));
      assert.equal(await chunksOf(ref), Math.ceil(whole.length / (255 * 1024)));
    }
  });

  it('a body whose end a crash prevented isn’t there; it is listed when it is old enough, and its chunks are removed as a body is', async () => {
    const { ref } = await put(randomBytes(2 * mib));
    await store.database.blobFiles.deleteOne({ _id: ref });
    await assert.rejects(collect(blobs.read(ref)), NotFound);
    assert.ok((await blobs.list({ olderThanMs: -10_000, limit: 1000 })).refs.includes(ref));
    assert.deepEqual((await blobs.list({ olderThanMs: 60_000, limit: 1000 })).refs, []);
    await blobs.remove(ref);
    assert.equal(await chunksOf(ref), 0);
  });

  it('a body with a chunk that is missing, cut or changed is told as damaged; one that is removed while it is read is not there', async () => {
    const whole = randomBytes(2 * mib);
    const { blobChunks } = store.database;
    const damages = [
      (files_id: string) => blobChunks.deleteOne({ files_id, n: 2 }),
      (files_id: string) => blobChunks.deleteOne({ files_id, n: 8 }),
      (files_id: string) => blobChunks.updateOne({ files_id, n: 5 }, { $set: { data: new Binary(Buffer.alloc(9)) } }),
      (files_id: string) =>
        blobChunks.updateOne({ files_id, n: 5 }, { $set: { data: new Binary(randomBytes(255 * 1024)) } }),
    ];
    for (const damage of damages) {
      const { ref } = await put(whole);
      await damage(ref);
      await assert.rejects(collect(blobs.read(ref)), BlobDamaged);
    }
    const { ref } = await put(whole);
    const reading = blobs.read(ref)[Symbol.asyncIterator]();
    await reading.next();
    await blobs.remove(ref);
    await assert.rejects(async () => {
      while ((await reading.next()).done !== true);
    }, NotFound);
  });

  it('a reader that takes its time or goes holds no cursor open', async () => {
    const cursors = async (): Promise<number> => {
      const ofChunks = { ns: `${database}.blobs.chunks`, type: 'idleCursor' };
      const found = await store.database.client
        .db('admin')
        .aggregate([{ $currentOp: { idleCursors: true } }, { $match: ofChunks }], { readConcern: { level: 'local' } })
        .toArray();
      return found.length;
    };
    const { ref } = await put(randomBytes(4 * mib));
    const reading = blobs.read(ref)[Symbol.asyncIterator]();
    await reading.next();
    assert.equal(await cursors(), 0);
    await reading.return?.();
  });

  it('a disk that is nearly full takes no more bodies, and those that are there stay', async () => {
    const { ref } = await put(randomBytes(1000));
    const full = mongoBlobs(store.database, { room: { isFull: true } });
    await assert.rejects(full.put(streamOf([]), never), StoreFull);
    assert.equal((await collect(full.read(ref))).length, 1000);
  });

  async function primaryUrl(): Promise<string> {
    const hello = await store.database.db.admin().command({ hello: 1 });
    return `mongodb://${String(hello['primary'])}/`;
  }
});
