import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { MongoClient } from 'mongodb';
import { freshDatabase, requireMongo, requireNats } from './require.ts';
import { until } from '../../tools/servers/until.ts';

const majority = { writeConcern: { w: 'majority' as const, j: true } };

test('a majority write succeeds, and a transaction commits, on a set of one', async (t) => {
  const set = await requireMongo(t);
  if (set === undefined) return;
  await using client = new MongoClient(set.url);
  const rows = client.db(freshDatabase()).collection('rows');
  await rows.insertOne({ n: 1 }, majority);
  await client.withSession((session) =>
    session.withTransaction(() => rows.updateOne({ n: 1 }, { $inc: { n: 1 } }, { session }), majority),
  );
  assert.equal((await rows.findOne({}))?.['n'], 2);
});

test('when the primary of three is killed another takes majority writes, and the killed one comes back', async (t) => {
  const set = await requireMongo(t, { members: 3 });
  if (set === undefined) return;
  await using client = new MongoClient(set.url);
  const rows = client.db(freshDatabase()).collection('rows');
  await rows.insertOne({ n: 1 }, majority);
  const killed = await set.primary();
  await killed.kill();
  await until('a majority write', 60_000, async () => (await rows.insertOne({ n: 2 }, majority)).acknowledged);
  assert.notEqual((await set.primary()).host, killed.host);
  await killed.start();
  await until('three members', 60_000, async () => {
    const status = await client.db('admin').command({ replSetGetStatus: 1 });
    return status['members'].every(({ state }: { state: number }) => state === 1 || state === 2) ? true : undefined;
  });
});

test('a NATS server can be killed and started again at the same address', async (t) => {
  const nats = await requireNats(t, { own: true });
  if (nats?.control === undefined) return;
  await nats.control.kill();
  await assert.rejects(greeting(nats.url)); // refused by a process, unreachable with a container
  await nats.control.start();
  assert.match(await greeting(nats.url), /^INFO /);
});

async function greeting(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  try {
    const [data] = await once(socket, 'data', { signal: AbortSignal.timeout(5000) });
    return String(data);
  } finally {
    socket.destroy();
  }
}
