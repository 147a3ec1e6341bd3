import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type ClientSession, MongoClient, MongoErrorLabel, MongoServerError } from 'mongodb';
import { systemClock } from '../../libs/runtime/clock.ts';
import { StaleTransactions } from '../../libs/store/mongo/stale-transactions.ts';
import { transact } from '../../libs/store/mongo/transaction.ts';
import { createAdministrator } from '../../tools/servers/mongo-administrator.ts';
import { mongoForFile } from '../backends/require.ts';

const mongo = await mongoForFile({ accessControl: true });
const database = 'waypost';
const inactiveMs = 4_000;

/** Looks at the times that a test says. */
function watchOf(client: MongoClient) {
  let skippedMs = 0;
  const clock = { ...systemClock, monotonicMs: () => performance.now() + skippedMs };
  const watch = new StaleTransactions({ client, inactiveMs, clock });
  return {
    look: () => watch.look(),
    lookLater(): Promise<number> {
      skippedMs += inactiveMs;
      return watch.look();
    },
  };
}

describe('transactions that were left open', { skip: mongo.skip }, () => {
  const clients: MongoClient[] = [];
  /** Of two services; the second of each is another process. */
  let queue: [MongoClient, MongoClient];
  let mailbox: MongoClient;
  before(async () => {
    const adminUrl = await createAdministrator(mongo.backend!.url, 'root', 'root');
    const admin = new MongoClient(adminUrl);
    clients.push(admin);
    const roles = [{ role: 'readWrite', db: database }];
    for (const user of ['queue', 'mailbox']) await admin.db('admin').command({ createUser: user, pwd: user, roles });
    const as = (user: string): MongoClient => {
      const client = new MongoClient(mongo.backend!.url, {
        auth: { username: user, password: user },
        appName: 'waypost',
      });
      clients.push(client);
      return client;
    };
    queue = [as('queue'), as('queue')];
    mailbox = as('mailbox');
    await mailbox
      .db(database)
      .collection<{ _id: string }>('rows')
      .insertMany([{ _id: 'a' }, { _id: 'b' }]);
  });
  after(async () => {
    for (const client of clients) await client.close();
  });

  const touch = (client: MongoClient, _id: string, session: ClientSession) =>
    client
      .db(database)
      .collection<{ _id: string }>('rows')
      .updateOne({ _id }, { $inc: { n: 1 } }, { session });
  const open = async (client: MongoClient, _id: string): Promise<ClientSession> => {
    const session = client.startSession();
    session.startTransaction();
    await touch(client, _id, session);
    return session;
  };

  test('a user with no right but to read and write ends those of its own service, and no other’s', async () => {
    const [process, other] = queue;
    const ours = await open(process, 'a');
    const theirs = await open(mailbox, 'b');
    const watch = watchOf(other);
    assert.equal(await watch.look(), 0);
    assert.equal(await watch.lookLater(), 1);
    assert.equal(await watch.lookLater(), 0);
    await assert.rejects(
      ours.commitTransaction(),
      (error) => error instanceof MongoServerError && error.hasErrorLabel(MongoErrorLabel.TransientTransactionError),
    );
    await theirs.commitTransaction();
    await Promise.all([ours.endSession(), theirs.endSession()]);
  });

  test('one that does something now and then, however long it takes, and the next one of the same session, are left alone', async () => {
    const [process, other] = queue;
    const session = await open(process, 'a');
    const watch = watchOf(other);
    assert.equal(await watch.look(), 0);
    for (let n = 0; n < 3; n++) {
      await touch(process, 'a', session);
      assert.equal(await watch.lookLater(), 0);
    }
    await session.commitTransaction();
    session.startTransaction();
    await touch(process, 'a', session);
    assert.equal(await watch.lookLater(), 0);
    await session.commitTransaction();
    await session.endSession();
  });

  test('work whose transaction was ended begins anew and is done once', async () => {
    const [process, other] = queue;
    const watch = watchOf(other);
    const rows = process.db(database).collection<{ _id: string; once?: number }>('rows');
    let tries = 0;
    await transact(process, async (session) => {
      tries += 1;
      await rows.updateOne({ _id: 'a' }, { $inc: { once: 1 } }, { session });
      if (tries > 1) return;
      await watch.look();
      assert.equal(await watch.lookLater(), 1);
    });
    assert.equal(tries, 2);
    assert.equal((await rows.findOne({ _id: 'a' }))?.once, 1);
  });
});
