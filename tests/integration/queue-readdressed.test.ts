import assert from 'node:assert/strict';
import test from 'node:test';
import { Registry } from 'prom-client';
import { partitionOf } from '../../libs/delivery/partition.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { Handout } from '../../services/queue/handout.ts';
import type { Loader } from '../../services/queue/loader.ts';
import { queueMetrics } from '../../services/queue/metrics.ts';
import type { Ownership } from '../../services/queue/ownership.ts';
import { RemoteClaims } from '../../services/queue/remote/claims.ts';
import { Window, type DueRow } from '../../services/queue/window.ts';
import { openMailSystem } from './mail-system.ts';

const hourMs = 3_600_000;

/** A domain of the same partition as the destination, so that the lease of the one serves for the other. */
function neighbourOf(destination: string): string {
  for (let n = 0; ; n++) {
    const domain = `neighbour${n}.test`;
    if (partitionOf(domain) === partitionOf(destination)) return domain;
  }
}

/** A store with an owner of all partitions, and a row of a mailbox here as the owner has read it before an operator changed it. */
async function readBefore(t: Parameters<typeof openMailSystem>[0]) {
  const mail = await openMailSystem(t);
  const messageId = await mail.accept([await mail.addAccount('alice')]);
  const [row] = await mail.deliveries.ofMessage(messageId);
  assert.ok(row !== undefined);
  const partitions = Array.from({ length: 256 }, (_, n) => n);
  const leases = await mail.partitions.acquire({ owner: 'owner', partitions, leaseMs: hourMs });
  const steer = (recipient: string) =>
    mail.deliveries.steer({
      action: 'recipient',
      to: { kind: 'remote', recipient: `a@${recipient}`, destination: recipient },
      id: row.id,
      now: mail.clock.nowMs(),
      actor: 'admin',
    });
  const marked: number[] = [];
  const loader = {
    mark: (of: Iterable<number>) => void marked.push(...of),
    taken: () => undefined,
    look: () => undefined,
  } as unknown as Loader;
  const ownership = { leasesOf: () => leases, owns: () => true } as unknown as Ownership;
  const shared = { owner: 'owner', leaseMs: hourMs, deliveries: mail.deliveries, ownership, loader: () => loader };
  return { mail, row, steer, marked, shared: { ...shared, clock: mail.clock } };
}

test('a batch for outside never has a row that was given another recipient since it was read', async (t) => {
  const { mail, row, steer, marked, shared } = await readBefore(t);
  await steer('old.test');
  const old = await mail.deliveries.get(row.id);
  await steer(neighbourOf('old.test'));
  const claims = new RemoteClaims(shared);
  assert.deepEqual(await claims.claim([old?.row ?? assert.fail()], newId()), []);
  const now = await mail.deliveries.get(row.id);
  assert.deepEqual([now?.row.state, now?.row.destination], ['queued', neighbourOf('old.test')]);
  assert.ok(marked.includes(partitionOf('old.test')), 'it is looked for where it is now');
});

test('a batch for mailboxes here never has a row that goes elsewhere since it was read', async (t) => {
  const { mail, row, steer, shared } = await readBefore(t);
  const window = new Window({ total: 10, perDestination: 10 });
  window.merge([row satisfies DueRow]);
  await steer(neighbourOf(row.destination));
  const handout = new Handout({ ...shared, window, metrics: queueMetrics(new Registry()) });
  const request = { kind: 'local', worker: 'test', capacity: 10, waitMs: 0 } as const;
  assert.deepEqual((await handout.pull(request, new AbortController().signal)).rows, []);
  assert.equal((await mail.deliveries.get(row.id))?.row.state, 'queued');
  assert.equal(handout.claimsOut, 0);
});
