import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type LoadedCluster, startLoadedCluster } from '../support/cluster-load.ts';

const victims = ['auth', 'ingress', 'queue', 'mailbox', 'delivery', 'primary', 'nats'] as const;
const kills = Number(process.env['WAYPOST_TEST_KILLS'] ?? victims.length);
/** Milliseconds of quiet after each, so that the delays that are printed are of one outage; 0: one may fall into the recovery from another. */
const settleMs = Number(process.env['WAYPOST_TEST_SETTLE_MS'] ?? 0);
const seed = Number(process.env['WAYPOST_TEST_SEED']) || 20_261_123;

describe('SIGKILL under load, cluster', () => {
  let cluster: LoadedCluster;

  before(async () => {
    cluster = await startLoadedCluster({ seed, members: 3, copies: { ingress: 2, queue: 2, mailbox: 2 } });
  });
  after(() => cluster?.dispose());

  it(`every message acknowledged before any of ${kills} kills (seed ${seed}) is in each of its mailboxes exactly once, byte for byte`, async (t) => {
    const { random } = cluster;
    const outages: { victim: string; at: number }[] = [];
    let order: (typeof victims)[number][] = [];
    for (let kill = 0; kill < kills; kill += 1) {
      if (order.length === 0) order = shuffled(victims, random);
      const victim = order.pop()!;
      await cluster.accepts(30 + Math.floor(random() * 60));
      outages.push({ victim, at: Date.now() });
      await killAndStart(cluster, victim);
      await pause(settleMs);
    }
    const endedAt = Date.now();
    const faults = await cluster.faults();
    for (const [index, { victim, at }] of outages.entries()) {
      const { messages, acceptPauseMs, deliveryMs } = cluster.delays(at, outages[index + 1]?.at ?? endedAt);
      t.diagnostic(
        `${victim}: ${messages} messages, at most ${acceptPauseMs} ms without one, ${deliveryMs} ms to the mailbox`,
      );
    }
    assert.deepEqual(faults, []);
    const refused = cluster.load.refusals.filter(({ reply }) => reply.code >= 500);
    assert.deepEqual(refused, []);
  });

  it('waypost doctor --verify finds nothing wrong after it', async () => {
    const { code, stdout, stderr } = await cluster.verify();
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(JSON.parse(stdout).faults, 0);
  });
});

/** The victim is away for a moment, NATS comes back empty. */
async function killAndStart(cluster: LoadedCluster, victim: (typeof victims)[number]): Promise<void> {
  const { services, mongo, nats, random } = cluster;
  if (victim === 'nats') {
    await nats.control!.kill();
    await nats.control!.wipe();
    await cluster.accepts(20);
    await nats.control!.start();
    return;
  }
  if (victim === 'primary') {
    const member = await mongo.primary();
    await member.kill();
    await cluster.accepts(20);
    await member.start();
    return;
  }
  const copies = services[victim];
  const copy = copies[Math.floor(random() * copies.length)]!;
  await copy.kill();
  await cluster.accepts(20);
  await copy.start();
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, place: random() }))
    .toSorted((one, other) => one.place - other.place)
    .map(({ item }) => item);
}
