import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { MongoClient } from 'mongodb';
import { writeMongoUsers } from '../../deploy/rights/mongodb-users.ts';
import { writeNatsUsers } from '../../deploy/rights/nats-users.ts';
import { rights } from '../../deploy/rights/table.ts';
import { eventsStream } from '../../libs/bus/nats/subjects.ts';
import { openMongoStore } from '../../libs/store/mongo/open.ts';
import { createAdministrator } from '../../tools/servers/mongo-administrator.ts';
import { freshDatabase, mongoForFile, natsForFile, requireNats, requireS3 } from '../backends/require.ts';
import { startStandalone } from '../support/mongo-standalone.ts';
import { type EndedStart, startAndEnd } from '../support/bad-start.ts';

const mongo = await mongoForFile({ accessControl: true });
const nats = await natsForFile();
const skip = mongo.skip || nats.skip;

/** Never to be seen in what is printed. */
const secret = 'hunter2-hunter2-hunter2';
/** The driver's own patience for one try, and some for a busy machine. */
const atOnceMs = 45_000;
/** Longer than the start waits for a MongoDB that doesn't answer. */
const patientlyMs = 90_000;

describe('a start in a cluster that can’t be', { skip, concurrency: 4 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-bad-start-'));
  after(() => rmSync(folder, { recursive: true, force: true }));
  const natsUrl = nats.backend?.url ?? '';
  let administrator: Promise<string> | undefined;
  const adminUrl = (): Promise<string> => {
    administrator ??= createAdministrator(mongo.backend?.url ?? '', 'administrator', randomBytes(9).toString('hex'));
    return administrator;
  };

  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  /** A database of its own, with a user who may do everything there. */
  async function goodMongo(): Promise<string> {
    await using admin = new MongoClient(await adminUrl());
    const [name, pwd] = [freshDatabase(), randomBytes(9).toString('hex')];
    await admin.db(name).command({ createUser: 'owner', pwd, roles: ['dbOwner'] });
    const url = new URL(mongo.backend?.url ?? '');
    return Object.assign(url, { username: 'owner', password: pwd, pathname: `/${name}` }).href;
  }

  /** Ends with 1 and, after the log, one text of two lines: what is wrong and what to do. Nothing secret, no stack. */
  async function refused(
    env: Record<string, string>,
    says: RegExp,
    withinMs = atOnceMs,
    service = 'auth',
  ): Promise<EndedStart> {
    const ended = await startAndEnd([service], { WAYPOST_DATA_DIR: join(folder, 'data'), ...env }, withinMs);
    const { code, stdout, stderr, text } = ended;
    assert.equal(code, 1, stderr);
    assert.equal(stdout, '');
    assert.match(text, /^(?:Waypost can’t start|The configuration is not right):\n[^\n]+\n$/);
    assert.match(text, says);
    assert.doesNotMatch(stderr, /hunter2/, 'a secret is shown');
    assert.doesNotMatch(stderr, /(?:\n|\\n) +at /, 'a stack is shown');
    return ended;
  }

  /** Accepts, and says nothing. */
  async function blackHole(t: TestContext): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => sockets.add(socket.on('error', () => {}))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }

  describe('because of MongoDB:', { concurrency: 5 }, () => {
    const withNats = { WAYPOST_NATS_URL: natsUrl, WAYPOST_ALLOW_PLAINTEXT_BACKENDS: 'true' };

    it('its name doesn’t resolve', async () => {
      const url = `mongodb://user:${secret}@mongo.invalid/`;
      const { stderr } = await refused(
        { ...withNats, WAYPOST_MONGODB_URL: url },
        /doesn’t resolve.*check/,
        patientlyMs,
      );
      assert.equal(stderr.match(/the start waits for it/g)?.length, 1, 'logged once');
    });

    it('nothing listens there', async () => {
      const url = `mongodb://user:${secret}@127.0.0.1:9/`;
      await refused({ ...withNats, WAYPOST_MONGODB_URL: url }, /nothing answers .*127\.0\.0\.1:9.*check/, patientlyMs);
    });

    it('it accepts and says nothing', async (t) => {
      const url = `mongodb://user:${secret}@127.0.0.1:${await blackHole(t)}/`;
      await refused({ ...withNats, WAYPOST_MONGODB_URL: url }, /nothing answers .*check/, patientlyMs);
    });

    it('it refuses the password', async () => {
      const url = new URL(await goodMongo());
      url.password = secret;
      await refused({ ...withNats, WAYPOST_MONGODB_URL: url.href }, /refuses the credentials: check user and password/);
    });

    it('it is a standalone server', async (t) => {
      const url = await startStandalone(t);
      if (url === undefined) return;
      await refused(
        { ...withNats, WAYPOST_MONGODB_URL: url },
        /standalone server: start it with --replSet/,
        patientlyMs,
      );
    });

    it('nobody has run migrate, and the service’s user may not make what is missing', async () => {
      const usersFolder = join(folder, 'users');
      mkdirSync(usersFolder);
      await writeMongoUsers(rights, { adminUrl: await adminUrl(), database: freshDatabase(), folder: usersFolder });
      const env = { WAYPOST_MONGODB_URL_FILE: join(usersFolder, 'ingress.mongodb-url') };
      await refused({ ...withNats, ...env }, /may not make it: run `waypost migrate`/, atOnceMs, 'ingress');
    });

    it('its schema is of a release that is too new', async () => {
      const url = await goodMongo();
      await (await openMongoStore({ url })).close();
      await using client = new MongoClient(url);
      await client
        .db()
        .collection<{ _id: string }>('meta')
        .updateOne({ _id: 'schema' }, { $set: { version: 1000 } });
      await refused(
        { ...withNats, WAYPOST_MONGODB_URL: url },
        /schema 1000, this release reads up to \d+: start the release/,
      );
    });
  });

  describe('because of NATS:', { concurrency: 3 }, () => {
    async function refusedByBus(env: Record<string, string>, says: RegExp): Promise<void> {
      await refused({ WAYPOST_NATS_URL: natsUrl, WAYPOST_MONGODB_URL: await goodMongo(), ...env }, says);
    }

    it('it has no JetStream', async (t) => {
      const plain = await requireNats(t, { jetstream: false });
      if (plain !== undefined) await refusedByBus({ WAYPOST_NATS_URL: plain.url }, /no JetStream.*--jetstream/);
    });

    it('its stream has other settings', async (t) => {
      const own = await requireNats(t, { process: true });
      if (own === undefined) return;
      const nc = await connect({ servers: own.url });
      const jsm = await jetstreamManager(nc);
      await jsm.streams.add({ name: eventsStream, subjects: ['waypost.event.>'], max_age: 1_000_000_000 });
      await nc.close();
      await refusedByBus({ WAYPOST_NATS_URL: own.url }, /max_age is .*asked for .*`waypost migrate`/);
    });

    it('it refuses the password, the token or the nkey', async (t) => {
      const usersFolder = join(folder, 'nats-users');
      const { config } = writeNatsUsers(rights, usersFolder);
      const own = await requireNats(t, { config });
      if (own === undefined) return;
      const withPassword = own.url.replace('//', `//auth:${secret}@`);
      const says = /refuses our credentials: check/;
      await refusedByBus({ WAYPOST_NATS_URL: withPassword }, says);
      await refusedByBus({ WAYPOST_NATS_URL: own.url, WAYPOST_NATS_TOKEN: secret }, says);
    });

    it('the credentials can’t be used', async () => {
      await refusedByBus({ WAYPOST_NATS_CREDS_FILE: '/nowhere/waypost.creds' }, /NATS_CREDS_FILE.*ENOENT/);
      const broken = file('broken.creds', secret);
      await refusedByBus({ WAYPOST_NATS_CREDS_FILE: broken }, /NATS_CREDS_FILE.*is no credentials file/);
      await refusedByBus({ WAYPOST_NATS_NKEY: secret }, /WAYPOST_NATS_NKEY: .*not shown.*the seed of a user/);
      const damaged = `SU${'A'.repeat(56)}`;
      await refusedByBus({ WAYPOST_NATS_NKEY: damaged }, /WAYPOST_NATS_NKEY is not the seed of a user/);
      await refusedByBus(
        { WAYPOST_NATS_NKEY: damaged, WAYPOST_NATS_TOKEN: secret },
        /WAYPOST_NATS_NKEY.*WAYPOST_NATS_TOKEN.*one way to log in/,
      );
      await refusedByBus({ WAYPOST_NATS_CA_FILE: '/nowhere/ca.pem' }, /WAYPOST_NATS_CA_FILE.*ENOENT/);
    });

    it('it is off loopback without TLS', () =>
      refusedByBus({ WAYPOST_NATS_URL: 'nats://nats.example.test' }, /without TLS.*WAYPOST_ALLOW_PLAINTEXT_BACKENDS/));
  });

  describe('because of the blob store:', { concurrency: 2 }, () => {
    const keys = { WAYPOST_BLOBS_ACCESS_KEY: 'waypost', WAYPOST_BLOBS_SECRET_KEY: secret };
    async function refusedByBlobs(env: Record<string, string>, says: RegExp): Promise<void> {
      await refused({ WAYPOST_NATS_URL: natsUrl, WAYPOST_MONGODB_URL: await goodMongo(), ...keys, ...env }, says);
    }

    it('nothing listens there, or it refuses the keys', async (t) => {
      const s3 = (port: number): string => `s3://bucket?endpoint=http://127.0.0.1:${port}&region=eu-1`;
      await refusedByBlobs({ WAYPOST_BLOBS_URL: s3(9) }, /WAYPOST_BLOBS_URL.*see that the server runs/);
      const server = await requireS3(t);
      if (server !== undefined)
        await refusedByBlobs({ WAYPOST_BLOBS_URL: server.url }, /correct WAYPOST_BLOBS_ACCESS_KEY/);
    });
  });
});
