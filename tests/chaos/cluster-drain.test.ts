import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type LoadedCluster, startLoadedCluster } from '../support/cluster-load.ts';

const seed = Number(process.env['WAYPOST_TEST_SEED']) || 20_261_123;
const services = ['auth', 'ingress', 'queue', 'mailbox', 'delivery'] as const;

describe('SIGTERM under load', () => {
  let cluster: LoadedCluster;

  before(async () => {
    cluster = await startLoadedCluster({ seed, copies: { ingress: 2, queue: 2, mailbox: 2 } });
  });
  after(() => cluster?.dispose());

  it('each service in turn: clients see 421 or a 4xx at most, partitions go over at once, and nothing is lost', async (t) => {
    const drains: { name: string; at: number; tookMs: number }[] = [];
    for (const name of services) {
      const [copy] = cluster.services[name];
      await cluster.accepts(40);
      const at = Date.now();
      assert.equal(await copy!.terminate(), 0, `${name}: ${copy!.stderr()}`);
      const tookMs = Date.now() - at;
      await cluster.accepts(60);
      drains.push({ name, at, tookMs });
      await copy!.start();
    }
    const endedAt = Date.now();
    assert.deepEqual(await cluster.faults(), []);
    for (const [index, { name, at, tookMs }] of drains.entries()) {
      const { messages, acceptPauseMs, deliveryMs } = cluster.delays(at, drains[index + 1]?.at ?? endedAt);
      t.diagnostic(
        `${name}: gone after ${tookMs} ms; ${messages} messages, at most ${acceptPauseMs} ms without one, ${deliveryMs} ms to the mailbox`,
      );
      // A lease that was not given back would be waited for.
      assert.ok(deliveryMs < leaseMs, `${name}: ${deliveryMs} ms to the mailbox`);
    }
    const others = cluster.load.refusals.filter(({ reply }) => reply.code < 400 || reply.code >= 500);
    assert.deepEqual(others, []);
  });
});

/** WAYPOST_PARTITION_LEASE. */
const leaseMs = 15_000;
