import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type ApiClient, createAccount } from '../support/api-client.ts';
import { type LoadedCluster, startLoadedCluster } from '../support/cluster-load.ts';
import { readiness } from '../support/service-process.ts';
import { plainLogin, startTls } from '../support/smtp-tls.ts';
import { until } from '../support/until.ts';

const awayMs = Number(process.env['WAYPOST_TEST_NATS_AWAY_MS'] ?? 20_000);
const seed = Number(process.env['WAYPOST_TEST_SEED']) || 20_261_123;

describe('NATS stopped under load', () => {
  let cluster: LoadedCluster;
  /** Has never logged in. */
  let stranger: ApiClient & { address: string; password: string };

  before(async () => {
    cluster = await startLoadedCluster({ seed });
    stranger = await createAccount(cluster.api, cluster.admin, 'stranger@example.test');
  });
  after(() => cluster?.dispose());

  it(`in ${awayMs} ms without it MX mail is accepted all the time and mailboxes are readable; deliveries go on within 5 s of its return`, async (t) => {
    const { nats, load, services, readers, ledger } = cluster;
    await cluster.accepts(50);
    await until('mail is delivered', 20_000, async () => (await cluster.delivered()) > 10);
    for (const reader of readers.values()) await reader.get(list);

    await nats.control!.kill();
    const [killedAt, endsAt] = [Date.now(), performance.now() + awayMs];
    const ops = ['ingress', 'queue', 'mailbox', 'auth'] as const;
    for (const name of ops) {
      await until(`${name} says that NATS is missing, and stays ready`, 5_000, async () => {
        const { status, degraded } = await readiness(services[name][0]!.ports.ops);
        assert.equal(status, 200, name);
        return degraded.includes('nats');
      });
    }
    assert.equal((await stranger.request('GET', list)).status, 503);
    const submission = await startTls(cluster.ports.submission);
    const login = await submission.command(`AUTH PLAIN ${plainLogin(stranger.address, stranger.password)}`);
    assert.equal(login.code, 454, login.text);
    submission.destroy();
    let reads = 0;
    while (performance.now() < endsAt) {
      for (const reader of readers.values()) {
        await reader.get(list);
        reads += 1;
      }
      await pause(500);
    }
    for (const name of ops) assert.equal((await readiness(services[name][0]!.ports.ops)).status, 200, name);
    const [acceptedMeanwhile, deliveredBefore] = [acknowledgedSince(ledger, killedAt), await cluster.delivered()];

    await nats.control!.start();
    const backAt = Date.now();
    await until('deliveries go on', 5_000, async () => (await cluster.delivered()) > deliveredBefore);
    const goOnMs = Date.now() - backAt;

    assert.deepEqual(await cluster.faults(), []);
    assert.deepEqual(load.refusals, [], 'nothing was refused');
    const { acceptPauseMs } = cluster.delays(killedAt, backAt);
    const { deliveryMs } = cluster.delays(backAt - 1_000, backAt);
    t.diagnostic(
      `${acceptedMeanwhile} messages accepted meanwhile, at most ${acceptPauseMs} ms without one; ${reads} reads; deliveries went on ${goOnMs} ms after its return, the last one accepted without it came after ${deliveryMs} ms`,
    );
    assert.ok(acceptPauseMs < 2_000, `${acceptPauseMs} ms without a message accepted`);
    await until('new logins work', 5_000, async () => (await stranger.request('GET', list)).status === 200);
  });
});

const list = '/api/v1/accounts/me/messages?limit=20';

const acknowledgedSince = (ledger: LoadedCluster['ledger'], since: number): number =>
  ledger.acknowledgedTimes().filter((at) => at >= since).length;
