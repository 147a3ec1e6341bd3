import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type LoadedCluster, startLoadedCluster } from '../support/cluster-load.ts';
import { readyStatus } from '../support/service-process.ts';
import { until } from '../support/until.ts';

const seed = Number(process.env['WAYPOST_TEST_SEED']) || 20_261_123;
const watched = ['ingress', 'mailbox', 'queue', 'auth'] as const;

describe('MongoDB without a majority, under load', () => {
  let cluster: LoadedCluster;

  before(async () => {
    cluster = await startLoadedCluster({ seed, members: 3 });
  });
  after(() => cluster?.dispose());

  const areReady = async (wanted: boolean): Promise<boolean> => {
    const statuses = await Promise.all(watched.map((name) => readyStatus(cluster.services[name][0]!.ports.ops)));
    return statuses.every((status) => status === (wanted ? 200 : 503));
  };

  it('two of three members gone: 451 and not one 250, nobody is ready; back by itself when they return', async (t) => {
    const { mongo, load, ledger, readers } = cluster;
    await cluster.accepts(50);
    const primary = await mongo.primary();
    const others = mongo.members.filter(({ host }) => host !== primary.host);
    await Promise.all([primary.kill(), others[0]!.kill()]);
    const goneAt = Date.now();
    await until('nobody is ready', 40_000, () => areReady(false));
    const redMs = Date.now() - goneAt;
    const refusedBefore = load.refusals.length;
    await until('clients are told so', 20_000, () => load.refusals.length > refusedBefore + 20);
    const [reader] = readers.values();
    assert.equal((await reader!.request('GET', '/api/v1/accounts/me/messages')).status, 503);
    const acknowledged = ledger.acknowledgedTimes().filter((at) => at > goneAt);
    assert.deepEqual(acknowledged, [], 'a 250 without a majority');

    await Promise.all([primary.start(), others[0]!.start()]);
    const backAt = Date.now();
    await cluster.accepts(1);
    const acceptsMs = Date.now() - backAt;
    await until('all are ready', 40_000, () => areReady(true));
    const readyMs = Date.now() - backAt;
    const deliveredBefore = await cluster.delivered();
    await until('mail is delivered', 40_000, async () => (await cluster.delivered()) > deliveredBefore);
    t.diagnostic(
      `red after ${redMs} ms; after their return mail was accepted within ${acceptsMs} ms, all were ready within ${readyMs} ms, and mail was delivered within ${Date.now() - backAt} ms`,
    );
    assertOnly4xx(cluster);
  });

  it('the primary frozen for 15 s: clients see a 4xx at most, and another takes over', async (t) => {
    const { mongo, load } = cluster;
    await cluster.accepts(50);
    const refusedBefore = load.refusals.length;
    const primary = await mongo.primary();
    await primary.pause();
    const frozenAt = Date.now();
    await pause(frozenMs);
    await primary.resume();
    const thawedAt = Date.now();
    await cluster.accepts(50);
    await until('all are ready', 40_000, () => areReady(true));

    assert.deepEqual(await cluster.faults(), []);
    const { acceptPauseMs } = cluster.delays(frozenAt, thawedAt + 5_000);
    const { deliveryMs } = cluster.delays(frozenAt - 5_000, thawedAt + 5_000);
    t.diagnostic(
      `${load.refusals.length - refusedBefore} refusals; at most ${acceptPauseMs} ms without a message accepted, ${deliveryMs} ms to the mailbox`,
    );
    assertOnly4xx(cluster);
  });

  it('waypost doctor --verify finds nothing wrong after it', async () => {
    const { code, stdout, stderr } = await cluster.verify();
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(JSON.parse(stdout).faults, 0);
  });
});

/** Longer than an election, and than a lease of a partition. */
const frozenMs = 15_000;

function assertOnly4xx({ load }: LoadedCluster): void {
  const others = load.refusals.filter(({ reply }) => reply.code < 400 || reply.code >= 500);
  assert.deepEqual(others, []);
  assert.ok(load.refusals.some(({ reply }) => reply.code === 451));
}
