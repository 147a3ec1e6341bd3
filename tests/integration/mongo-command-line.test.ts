import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openMongoStore } from '../../libs/store/mongo/open.ts';
import { freshDatabase, mongoForFile, natsForFile } from '../backends/require.ts';
import { enqueue, makeMessage } from '../contract/spool-messages.ts';
import { runCommand } from '../support/run-command.ts';

const [mongo, nats] = [await mongoForFile(), await natsForFile()];
const skip = mongo.skip !== false ? mongo.skip : nats.skip;

describe('the command line on a cluster’s store', { skip }, () => {
  const waypost = (args: readonly string[], database: string) =>
    runCommand(process.execPath, ['bin/waypost.js', ...args], {
      env: {
        WAYPOST_MONGODB_URL: (mongo.backend?.url ?? '').replace('/?', `/${database}?`),
        WAYPOST_NATS_URL: nats.backend?.url ?? '',
        WAYPOST_ALLOW_PLAINTEXT_BACKENDS: 'true',
      },
    });

  it('migrate says what it made, the second time that all is there, and services may start without making anything', async () => {
    const database = freshDatabase();
    const first = await waypost(['migrate'], database);
    assert.deepEqual([first.code, first.stderr], [0, '']);
    assert.match(first.stdout, /^MongoDB: made collection accepts$/m);
    assert.match(first.stdout, /^MongoDB: made index messages\.messages_once$/m);
    assert.match(first.stdout, /^NATS: the stream of events is up to date$/m);
    const [again, json] = await Promise.all([waypost(['migrate'], database), waypost(['migrate', '--json'], database)]);
    assert.equal(again.stdout, 'MongoDB is up to date\nNATS: the stream of events is up to date\n');
    assert.deepEqual(JSON.parse(json.stdout).mongodb, { made: [] });
    const store = await openMongoStore({ url: mongo.backend?.url ?? '', database, schema: 'check' });
    await store.close();
  });

  it('doctor --verify reads the whole store, names what is broken and ends with 1', async () => {
    const database = freshDatabase();
    const store = await openMongoStore({ url: mongo.backend?.url ?? '', database });
    const [id = ''] = await enqueue(store.spool, makeMessage());
    const well = await waypost(['doctor', '--verify', '--json'], database);
    assert.deepEqual([well.code, well.stderr], [0, '']);
    assert.deepEqual(JSON.parse(well.stdout), { messages: 1, accounts: 0, faults: 0 });
    await store.database.accepts.updateOne({}, { $set: { sha256: 'another' } });
    const broken = await waypost(['doctor', '--verify'], database);
    await store.close();
    assert.equal(broken.code, 1);
    assert.match(
      broken.stderr,
      new RegExp(`the store has faults:\nmessage ${id.split('/')[0]}: \\w{64} where another`),
    );
  });

  it('migrate says in one line why it can’t, without the password', async () => {
    const { code, stdout, stderr } = await runCommand(process.execPath, ['bin/waypost.js', 'migrate'], {
      env: { WAYPOST_MONGODB_URL: 'mongodb://u:top-secret@127.0.0.1:9/', WAYPOST_NATS_URL: 'nats://127.0.0.1:9' },
    });
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^waypost: nothing answers at the address of MongoDB \(127\.0\.0\.1:9\): [^\n]+\n$/);
    assert.doesNotMatch(stderr, /top-secret/);
  });
});
