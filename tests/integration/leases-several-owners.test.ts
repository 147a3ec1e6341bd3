import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { localDestination } from '../../libs/delivery/partition.ts';
import { createQueue } from '../../services/queue/main.ts';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { makeMessage } from '../contract/spool-messages.ts';
import { until } from '../support/until.ts';
import { type MailSystem, openMailSystem } from './mail-system.ts';

const mongo = await mongoForFile();
const waitMs = 120_000;
const day = 24 * 3_600_000;

const open = (t: Parameters<typeof openMailSystem>[0]): Promise<MailSystem> =>
  openMailSystem(t, {
    mongo: { url: mongo.backend?.url ?? '', database: freshDatabase(), inactiveTransactionMs: 1_000 },
    config: { partitionLeaseMs: 4_000, deliveryLeaseMs: 4_000, sweepIntervalMs: 1_000 },
  });

const holders = async ({ partitions }: MailSystem): Promise<number> =>
  new Set(
    (await partitions.list()).flatMap(({ owner, remainingMs }) => (remainingMs > 0 && owner !== null ? owner : [])),
  ).size;

/** A queue that can stop dead: nothing that it asks of the store is done any more, and nothing is given back. */
function mortalQueue(mail: MailSystem) {
  let isDead = false;
  const mortal = <P extends object>(port: P): P =>
    new Proxy(port, {
      get(target, name, receiver) {
        const value: unknown = Reflect.get(target, name, receiver);
        if (typeof value !== 'function') return value;
        return (...given: unknown[]) =>
          isDead ? Promise.reject(new Error('dead')) : Reflect.apply(value, target, given);
      },
    });
  const deps = mail.queueDeps();
  const service = createQueue({ ...deps, partitions: mortal(mail.partitions), deliveries: mortal(mail.deliveries) });
  return {
    start: () => mail.startService(service),
    die: () => {
      isDead = true;
    },
  };
}

describe('several owners and workers over MongoDB', { skip: mongo.skip }, () => {
  test('every message is delivered once while one of three owners dies in the middle of thousands', async (t) => {
    const mail = await open(t);
    const accounts = await Promise.all(Array.from({ length: 20 }, (_, n) => mail.addAccount(`user${n}`)));
    const mortal = mortalQueue(mail);
    await Promise.all([mail.startQueue(), mail.startQueue(), mortal.start(), mail.startMailbox(), mail.startMailbox()]);
    await until('three share the partitions', waitMs, async () => (await holders(mail)) === 3);
    const total = 2_000;
    let sent = 0;
    const send = async (many: number): Promise<void> => {
      const sending = Array.from({ length: many }, () => {
        const n = sent++;
        return mail.accept([accounts[n % accounts.length] ?? ''], { raw: `Subject: ${n}\r\n\r\n.\r\n` });
      });
      await Promise.all(sending);
    };
    await send(total / 2);
    mortal.die();
    await send(total / 2);
    await until('all are delivered', waitMs, async () => (await mail.deliveries.counts()).byState.delivered === total);
    assert.equal(await holders(mail), 2);
    const messages = (await Promise.all(accounts.map((account) => mail.inbox(account)))).flat();
    assert.equal(new Set(messages.map(({ subject }) => subject)).size, total);
    assert.equal(messages.length, total);
  });

  test('failures are reported once each and what was not fanned out is found, whichever owner has the message', async (t) => {
    const mail = await open(t);
    const alice = await mail.addAccount('alice');
    await Promise.all([
      mail.startQueue(),
      mail.startQueue(),
      mail.startQueue(),
      mail.startMailbox(),
      mail.startMailbox(),
    ]);
    await until('three share the partitions', waitMs, async () => (await holders(mail)) === 3);
    const failing = await Promise.all(
      Array.from({ length: 40 }, (_, n) => mail.accept([`gone-${n}`], { sender: 'alice@example.test' })),
    );
    const halfAccepted = Array.from({ length: 40 }, () =>
      makeMessage({
        acceptedAt: mail.clock.nowMs(),
        envelope: { reversePath: '', smtputf8: false, body: '7BIT' },
        to: [{ accountId: alice, destination: localDestination(alice), expiresAt: mail.clock.nowMs() + 30 * day }],
      }),
    );
    await Promise.all(halfAccepted.map((message) => mail.spool.accept(message)));
    mail.clock.skip(6 * day);
    await until(
      'all are bounced',
      waitMs,
      async () => (await mail.deliveries.counts()).byState.bounced === failing.length,
    );
    await until(
      'alice has all',
      waitMs,
      async () => (await mail.inbox(alice)).length >= failing.length + halfAccepted.length,
    );
    await until('all ends are counted', waitMs, async () => {
      return (await mail.deliveries.counts()).byState.delivered === failing.length + halfAccepted.length;
    });
    assert.equal((await mail.inbox(alice)).length, failing.length + halfAccepted.length);
  });
});
