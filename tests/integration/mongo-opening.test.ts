import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { MongoClient } from 'mongodb';
import { makeSelfSigned } from '../../libs/runtime/self-signed.ts';
import { openMongoStore } from '../../libs/store/mongo/open.ts';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { startStandalone } from '../support/mongo-standalone.ts';

const mongo = await mongoForFile({ accessControl: true });
const password = 'p4ss-not-to-be-told';

/** Opening fails with an error of that name and text: one line, and nowhere in what a log would show of it the password. */
async function refusal(options: Parameters<typeof openMongoStore>[0], name: string, message: RegExp): Promise<void> {
  await assert.rejects(openMongoStore(options), (error) => {
    assert.ok(error instanceof Error);
    assert.equal(error.name, name, error.message);
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /\n/);
    assert.ok(!inspect(error, { depth: 20, showHidden: true }).includes(password), 'the password is told');
    return true;
  });
}

describe('what keeps the store from opening is told in a line, with what to do', {
  skip: mongo.skip,
  concurrency: true,
}, () => {
  const url = mongo.backend?.url ?? '';
  const host = url.slice('mongodb://'.length, url.indexOf('/?'));
  const as = (user: string): string => url.replace('mongodb://', `mongodb://${user}:${password}@`);

  it('a host that doesn’t resolve', () =>
    refusal(
      { url: `mongodb://user:${password}@db.waypost.invalid:27017/?replicaSet=rs0` },
      'StoreUnavailable',
      /doesn’t resolve \(db\.waypost\.invalid:27017\): check the host/,
    ));

  it('SRV records that aren’t there', () =>
    refusal({ url: `mongodb+srv://user:${password}@db.waypost.invalid/` }, 'StoreMisconfigured', /SRV records/));

  it('nothing that listens', () =>
    refusal(
      { url: `mongodb://user:${password}@127.0.0.1:9/` },
      'StoreUnavailable',
      /nothing answers .*\(127\.0\.0\.1:9\)/,
    ));

  it('a URL that is none', async () => {
    for (const wrong of [
      `mongodb://user:${password}@`,
      `mongodb://user:${password}@host/?unknownOption=1`,
      `mongodb://us%er:${password}@host/`,
      `mongodb://user:${password}@127.0.0.1/?w=majority&tls=maybe`,
    ]) {
      await refusal({ url: wrong }, 'StoreMisconfigured', /no address of MongoDB: write it as mongodb:\/\//);
    }
  });

  it('a database name with characters that none may have', async () => {
    for (const name of ['way post', 'a.b', 'a%2Fb', '$x', 'x'.repeat(64)]) {
      const wrong = `mongodb://user:${password}@${host}/${name}`;
      await refusal({ url: wrong }, 'StoreMisconfigured', /no database of the name .*: use at most 63/);
    }
  });

  it('another replica set than the URL names', () =>
    refusal(
      { url: `mongodb://user:${password}@${host}/?replicaSet=other` },
      'StoreMisconfigured',
      /replica set "other"/,
    ));

  it('wrong credentials, and none', async () => {
    await refusal({ url: as('nobody') }, 'StoreMisconfigured', /refuses the credentials: check user and password/);
    await refusal({ url }, 'SchemaNotReady', /may not read/);
  });

  it('a user without rights', async () => {
    await using first = new MongoClient(url);
    await first.db('admin').command({ createUser: 'root', pwd: password, roles: ['root'] });
    await using root = new MongoClient(as('root'));
    const roles = [{ role: 'read', db: 'elsewhere' }];
    await root.db('admin').command({ createUser: 'idle', pwd: password, roles });
    await refusal(
      { url: as('idle'), database: freshDatabase() },
      'SchemaNotReady',
      /may not read .*: give it the rights/,
    );
  });

  it('a server with TLS, without it or without its authority', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'waypost-tls-'));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const { cert, key } = makeSelfSigned({
      names: ['localhost', '127.0.0.1'],
      notBeforeMs: Date.now() - 60_000,
      notAfterMs: Date.now() + 3_600_000,
    });
    const [pem, ca] = [join(folder, 'server.pem'), join(folder, 'ca.pem')];
    writeFileSync(pem, `${cert}${key}`);
    writeFileSync(ca, cert);
    const tls = ['--tlsMode', 'requireTLS', '--tlsCertificateKeyFile', pem];
    const server = await startStandalone(t, tls);
    if (server === undefined) return;
    const withUser = server.replace('mongodb://', `mongodb://user:${password}@`);
    // It comes up while we ask.
    await refusal(
      { url: `${server}?tls=true&tlsAllowInvalidCertificates=true&serverSelectionTimeoutMS=20000` },
      'UnsuitableServer',
      /standalone/,
    );
    await refusal({ url: withUser }, 'StoreUnavailable', /ends the connections .*tls=true/);
    await refusal({ url: `${withUser}?tls=true` }, 'StoreMisconfigured', /isn’t trusted .*WAYPOST_MONGODB_CA_FILE/);
    await refusal({ url: withUser, tlsCaFile: join(folder, 'none.pem') }, 'StoreMisconfigured', /can’t be read/);
    await refusal({ url: server, tlsCaFile: ca }, 'UnsuitableServer', /standalone/);
  });

  it('TLS to a server that has none', () =>
    refusal(
      { url: `mongodb://user:${password}@${host}/?tls=true` },
      'StoreUnavailable',
      /ends the connections .*speaks no TLS/,
    ));
});
