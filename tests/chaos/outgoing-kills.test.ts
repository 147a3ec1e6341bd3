import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ClusterSystem, startCluster } from '../support/cluster.ts';
import { seeded } from '../support/load.ts';
import { outgoing, textMessage } from '../support/outgoing.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { type Sink, startSink } from '../support/smtp-sink/sink.ts';
import type { System } from '../support/system.ts';
import { until } from '../support/until.ts';
import { startWaypost } from '../support/waypost-process.ts';

const kills = Number(process.env['WAYPOST_TEST_KILLS'] ?? 3);
const seed = Number(process.env['WAYPOST_TEST_SEED']) || 20_261_123;
const domains = ['one', 'two', 'three', 'four'].map((name) => `${name}.far.test`);

for (const mode of ['embedded', 'cluster'] as const) {
  describe(`SIGKILL while mail goes out, ${mode}`, () => {
    let sink: Sink;
    let system: System;

    before(async () => {
      // A little slow, so that kills find transactions under way.
      sink = await startSink({ final: { reply: '250 2.0.0 taken', delayMs: 5 } });
      const environment = {
        WAYPOST_SAMPLE_ACCOUNTS: 'false',
        WAYPOST_TRUSTED_NETWORKS: '127.0.0.0/8',
        WAYPOST_ROUTES: domains.map((domain) => `${domain}=smtp://127.0.0.1:${sink.port}?retry=1s`).join(','),
        WAYPOST_SWEEP_INTERVAL: '500ms',
        WAYPOST_PARTITION_LEASE: '3s',
        WAYPOST_DELIVERY_LEASE: '5s',
      };
      system = mode === 'embedded' ? await startWaypost(environment) : await startCluster({ environment });
    });
    after(async () => {
      await system?.dispose();
      await sink?.close();
    });

    it(`everything acknowledged before any of ${kills} kills (seed ${seed}) arrives, and twice only what was in flight at one`, async (t) => {
      const random = seeded(seed);
      const load = startSending(system, random);
      let inFlight = 0;
      for (let kill = 0; kill < kills; kill += 1) {
        const [accepted, taken] = [load.accepted.size, sink.delivered];
        await until('mail is accepted', 30_000, () => load.accepted.size >= accepted + 40 + Math.floor(random() * 40));
        await until('and goes out', 60_000, () => sink.delivered > taken);
        inFlight += perConnection * sink.openConnections;
        await killAndStart(system, kill);
      }
      await load.stop();
      const { admin } = outgoing(system);
      await until('nothing waits', 90_000, async () => {
        const { byState } = await admin.get('/api/v1/queue/counts');
        return byState.queued + byState.leased + byState.deferred === 0;
      });
      const times = new Map<string, number>();
      for (const { raw } of sink.messages) {
        const token = /^Subject: (\S+)\r$/m.exec(raw.toString())?.[1] ?? '';
        times.set(token, (times.get(token) ?? 0) + 1);
      }
      const missing = [...load.accepted].filter((token) => !times.has(token));
      assert.deepEqual(missing, []);
      const again = [...times.values()].reduce((sum, count) => sum + count - 1, 0);
      t.diagnostic(`${load.accepted.size} messages, ${again} came again, ${inFlight} at most were in flight`);
      assert.ok(again <= inFlight, `${again} came again, ${inFlight} were in flight`);
    });
  });
}

/** One under way, and one whose reply is not yet in the store. */
const perConnection = 2;

/** In the cluster queue, delivery, and both by turns. */
async function killAndStart(system: System, turn: number): Promise<void> {
  if (!('services' in system)) {
    await system.kill();
    await system.restart();
    return;
  }
  const { services } = system as ClusterSystem;
  const victims = [services.queue, services.delivery, [...services.queue, ...services.delivery]][turn % 3] ?? [];
  await Promise.all(victims.map((copy) => copy.kill()));
  await Promise.all(victims.map((copy) => copy.start()));
}

/** A few clients of a trusted network, each message to one domain with a token of its own. */
function startSending(system: System, random: () => number) {
  const accepted = new Set<string>();
  let stopped = false;
  let next = 0;
  const send = async (): Promise<void> => {
    while (!stopped) {
      try {
        const { client } = await SmtpClient.connect(system.ports.mx);
        assert.equal((await client.command('EHLO load.test')).code, 250);
        while (!stopped) {
          const token = `token-${next++}`;
          const domain = domains[Math.floor(random() * domains.length)];
          const { final } = await client.send(
            'load@sender.test',
            [`to@${domain}`],
            textMessage('load@sender.test', token),
          );
          if (final.code !== 250) break;
          accepted.add(token);
        }
        client.destroy();
      } catch {
        // Cut or refused by a kill: not acknowledged, it may be there or not.
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const clients = [send(), send(), send()];
  return {
    accepted,
    async stop() {
      stopped = true;
      await Promise.all(clients);
    },
  };
}
