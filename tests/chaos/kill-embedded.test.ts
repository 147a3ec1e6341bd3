import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ApiClient, createAccount } from '../support/api-client.ts';
import { Ledger } from '../support/ledger.ts';
import { seeded, startLoad } from '../support/load.ts';
import { until } from '../support/until.ts';
import { startWaypost, type WaypostProcess } from '../support/waypost-process.ts';

const kills = Number(process.env['WAYPOST_TEST_KILLS'] ?? 6);
const seed = Number(process.env['WAYPOST_TEST_SEED']) || 20_261_123;
const clients = 8;

describe('SIGKILL under load, embedded', () => {
  let waypost: WaypostProcess;
  const readers = new Map<string, ApiClient>();

  before(async () => {
    waypost = await startWaypost();
    for (const name of ['ann', 'ben', 'cleo', 'dora']) {
      const address = `${name}@example.test`;
      readers.set(address, await createAccount(waypost.api, waypost.admin, address));
    }
  });
  after(() => waypost.dispose());

  it(`B4: every message acknowledged before any of ${kills} kills (seed ${seed}) is in each of its mailboxes exactly once, byte for byte`, async () => {
    const random = seeded(seed);
    const addresses = [...readers.keys()];
    const ledger = new Ledger();
    const load = startLoad({ ledger, ports: [waypost.ports.mx], addresses, random, clients });
    for (let kill = 0; kill < kills; kill += 1) {
      const enough = ledger.acknowledgedCount + 50 + Math.floor(random() * 150);
      await until(`load before kill ${kill + 1}`, 30_000, () => ledger.acknowledgedCount >= enough);
      await waypost.kill();
      await waypost.restart();
    }
    await load.stop();

    for (const [address, reader] of readers) {
      const owed = ledger.owed(address);
      await until(`all mail of ${address} is delivered`, 60_000, async () => (await countOf(reader)) >= owed.length);
    }
    await until('nothing waits in the queue', 60_000, async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${waypost.ports.ops}/metrics`)).text();
      return (
        /waypost_queue_deliveries\{state="queued"\} 0/.test(metrics) &&
        /waypost_queue_deliveries\{state="leased"\} 0/.test(metrics)
      );
    });
    assert.ok(ledger.acknowledgedCount >= kills * 50);
    const faults: string[] = [];
    for (const [address, reader] of readers) faults.push(...(await ledger.audit(address, reader)));
    assert.deepEqual(faults, []);
  });
});

async function countOf(reader: ApiClient): Promise<number> {
  const { items } = await reader.get('/api/v1/accounts/me/mailboxes');
  return items.find((mailbox: { role: string }) => mailbox.role === 'inbox').totalEmails;
}
