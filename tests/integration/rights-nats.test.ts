import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection, nkeyAuthenticator, nkeys } from '@nats-io/transport-node';
import { writeNatsUsers } from '../../deploy/rights/nats-users.ts';
import { rights } from '../../deploy/rights/table.ts';
import { allEvents, eventsStream, eventSubject, inboxPrefix, requestSubject } from '../../libs/bus/nats/subjects.ts';
import { natsForFile } from '../backends/require.ts';

const folder = mkdtempSync(join(tmpdir(), 'waypost-rights-'));
const { config, seeds } = writeNatsUsers(rights, folder);
const nats = await natsForFile({ config });
const connections: NatsConnection[] = [];
after(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
  rmSync(folder, { recursive: true });
});

describe('the users of NATS', { skip: nats.skip }, () => {
  const others = rights.map(({ user }) => user).filter((user) => user !== 'auth');

  test('only auth can answer what is asked of auth', async () => {
    for (const name of [
      'auth.verify',
      'auth.token',
      'directory.resolve',
      'account.update',
      'appPassword.add',
    ] as const) {
      assert.equal(await maySubscribe('auth', requestSubject(name)), true, name);
      for (const user of others) assert.equal(await maySubscribe(user, requestSubject(name)), false, `${user} ${name}`);
    }
  });

  test('who may ask gets the answer, at an inbox where nobody else can listen', async () => {
    const auth = await as('auth');
    auth.subscribe(requestSubject('auth.verify'), { callback: (_error, asked) => void asked.respond('yes') });
    await auth.flush();
    const ingress = await as('ingress');
    assert.equal((await ingress.request(requestSubject('auth.verify'), 'who?', { timeout: 5000 })).string(), 'yes');
    for (const user of rights.map((each) => each.user).filter((each) => each !== 'ingress')) {
      assert.equal(await maySubscribe(user, `${inboxPrefix('ingress')}.>`), false, user);
    }
    assert.equal(await maySubscribe('ingress', '_INBOX.>'), false);
    assert.equal(await maySubscribe('ingress', '>'), false);
  });

  test('nobody can put a reply into an inbox without having been asked', async () => {
    for (const { user } of rights) {
      assert.equal(await mayPublish(user, `${inboxPrefix('mailbox')}.x`), false, user);
    }
  });

  test('delivery and readers of events can ask auth nothing', async () => {
    for (const user of ['delivery', 'migrate', 'events-reader']) {
      assert.equal(await mayPublish(user, requestSubject('auth.verify')), false, user);
    }
  });

  test('each service publishes its own events only', async () => {
    assert.equal(await mayPublish('mailbox', eventSubject('mail.delivered')), true);
    for (const user of ['auth', 'ingress', 'queue', 'migrate', 'events-reader']) {
      assert.equal(await mayPublish(user, eventSubject('mail.delivered')), false, user);
    }
    assert.equal(await mayPublish('auth', eventSubject('account.changed')), true);
    assert.equal(await mayPublish('ingress', eventSubject('account.changed')), false);
  });

  test('migrate makes the stream, services can only look at it, a reader reads it by the consumer of its name', async () => {
    const stream = { name: eventsStream, subjects: [allEvents] };
    await assert.rejects((await jetstreamManager(await as('queue'))).streams.add(stream), /permissions/i);
    await (await jetstreamManager(await as('migrate'))).streams.add(stream);
    const look = await (await jetstreamManager(await as('queue'))).streams.info(eventsStream);
    assert.deepEqual(look.config.subjects, [allEvents]);

    const auth = await as('auth');
    auth.publish(eventSubject('account.changed'), '{}');
    await auth.flush();
    const reader = await as('events-reader');
    const manager = await jetstreamManager(reader);
    await manager.consumers.add(eventsStream, { durable_name: 'events-reader', ack_policy: 'explicit' });
    const consumer = await jetstream(reader).consumers.get(eventsStream, 'events-reader');
    const event = await consumer.next({ expires: 5000 });
    assert.equal(event?.subject, eventSubject('account.changed'));
    assert.equal(await event?.ackAck(), true);
    const foreign = { durable_name: 'somebody-else', ack_policy: 'explicit' as const };
    await assert.rejects(manager.consumers.add(eventsStream, foreign), /permissions/i);
    await assert.rejects(manager.streams.delete(eventsStream), /permissions/i);
  });

  test('a wrong seed is refused, and so is nobody', async () => {
    const { url } = nats.backend!;
    await assert.rejects(connect({ servers: url, reconnect: false }), /authorization/i);
    const authenticator = nkeyAuthenticator(nkeys.createUser().getSeed());
    await assert.rejects(connect({ servers: url, reconnect: false, authenticator }), /authorization/i);
  });
});

test('seeds stay when users are written again, nobody else can read them, and the server gets none of them', () => {
  const read = () => [...seeds.values()].map((path) => readFileSync(path, 'utf8').trim());
  const before = read();
  writeNatsUsers(rights, folder);
  assert.deepEqual(read(), before);
  for (const path of seeds.values()) assert.equal(statSync(path).mode & 0o777, 0o600);
  for (const seed of before) assert.ok(!readFileSync(config, 'utf8').includes(seed));
});

async function as(user: string): Promise<NatsConnection> {
  const seed = new TextEncoder().encode(readFileSync(seeds.get(user)!, 'utf8').trim());
  const connection = await connect({
    servers: nats.backend!.url,
    authenticator: nkeyAuthenticator(seed),
    inboxPrefix: inboxPrefix(user),
    reconnect: false,
  });
  connections.push(connection);
  return connection;
}

async function maySubscribe(user: string, subject: string): Promise<boolean> {
  const connection = await as(user);
  let allowed = true;
  connection.subscribe(subject, {
    callback: (error) => {
      if (error !== null) allowed = false;
    },
  });
  await settle(connection);
  return allowed;
}

async function mayPublish(user: string, subject: string): Promise<boolean> {
  const connection = await as(user);
  let allowed = true;
  void (async () => {
    for await (const status of connection.status()) if (status.type === 'error') allowed = false;
  })();
  connection.publish(subject, 'x');
  await settle(connection);
  return allowed;
}

/** The server answers in order: what it had to say about what was sent before has come by then. */
async function settle(connection: NatsConnection): Promise<void> {
  await connection.flush();
  await new Promise((resolve) => setImmediate(resolve));
  await connection.close();
}
