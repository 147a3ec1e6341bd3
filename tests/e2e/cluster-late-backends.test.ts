import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { connect, nkeyAuthenticator } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { MongoClient } from 'mongodb';
import { eventSubject, inboxPrefix, requestSubject, wakeSubject } from '../../libs/bus/nats/subjects.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { newestReadable } from '../../libs/store/mongo/schema/version.ts';
import { mongoForFile } from '../backends/require.ts';
import { type ApiClient, apiClient } from '../support/api-client.ts';
import { type ClusterCopy, type ClusterSystem, startCluster } from '../support/cluster.ts';
import { arrived } from '../support/reading.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { until } from '../support/until.ts';

/** Only says whether servers can be had: the cluster brings its own. */
const { skip } = await mongoForFile();

describe('a cluster whose servers come late, or hold what isn’t ours', { skip }, () => {
  let cluster: ClusterSystem;
  let admin: ApiClient;
  before(async () => {
    const environment = { WAYPOST_SAMPLE_ACCOUNTS: 'false', WAYPOST_SWEEP_INTERVAL: '1s' };
    cluster = await startCluster({ environment });
    admin = apiClient(cluster.api, cluster.admin);
  });
  after(() => cluster?.dispose());

  const only = (service: keyof ClusterSystem['services']): ClusterCopy => cluster.services[service][0]!;
  const ops = async (copy: ClusterCopy, path: string): Promise<{ status: number; text: string }> => {
    const answer = await fetch(`http://127.0.0.1:${copy.ports.ops}${path}`).catch(() => undefined);
    return { status: answer?.status ?? 0, text: (await answer?.text()) ?? '' };
  };
  const secretOf = (name: string): string => join(dirname(cluster.dataDir), 'rights', name);

  async function accepted(subject: string): Promise<void> {
    const { client } = await SmtpClient.connect(only('ingress').ports.mx);
    await client.command('EHLO a.test');
    const { final } = await client.send('c@sender.test', [cluster.admin.address], `Subject: ${subject}\r\n\r\nx\r\n`);
    assert.equal(final.code, 250, final.text);
    await client.quit();
  }

  async function counted(service: keyof ClusterSystem['services'], name: string): Promise<number> {
    const { text } = await ops(only(service), '/metrics');
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(`${name} `))
        ?.split(' ')
        .at(-1) ?? 0,
    );
  }

  it('starts without NATS: ingress takes mail and mailbox is ready, degraded, and all goes on when it comes', async () => {
    const nats = cluster.nats.control;
    assert.ok(nats);
    const all = (['auth', 'queue', 'mailbox', 'ingress'] as const).map(only);
    await Promise.all(all.map((copy) => copy.terminate()));
    await nats.kill();
    await Promise.all(all.map((copy) => copy.start()));
    for (const copy of all) assert.match((await ops(copy, '/readyz')).text, /"ready":true,"degraded":\["nats"\]/);
    await accepted('without NATS');
    // Nobody can be asked who that is.
    const { status } = await apiClient(cluster.api, cluster.admin).request('GET', '/api/v1/accounts/me/mailboxes');
    assert.equal(status, 503);
    await nats.start();
    await until('none is degraded', 10_000, async () => {
      const texts = await Promise.all(all.map(async (copy) => (await ops(copy, '/readyz')).text));
      return texts.every((text) => text.includes('"ready":true,"degraded":[]'));
    });
    await arrived(admin, 'without NATS', { timeoutMs: 5_000 });
  });

  async function natsAs(user: string): Promise<NatsConnection> {
    const seed = readFileSync(secretOf(`${user}.nkey`));
    const authenticator = nkeyAuthenticator(new Uint8Array(seed.subarray(0, 58)));
    return connect({ servers: cluster.nats.url, authenticator, inboxPrefix: inboxPrefix(user) });
  }

  it('sets payloads on our subjects that aren’t ours aside, counts them, and goes on', async () => {
    const pids = cluster.pids();
    for (const [user, subject, service, name] of [
      ['auth', eventSubject('account.changed'), 'ingress', 'account.changed'],
      ['mailbox', eventSubject('mailbox.quota'), 'ingress', 'mailbox.quota'],
      ['ingress', wakeSubject('queue.rows'), 'queue', 'queue.rows'],
      ['queue', wakeSubject('queue.ready'), 'mailbox', 'queue.ready'],
      ['ingress', requestSubject('auth.verify'), 'auth', 'auth.verify'],
      ['mailbox', requestSubject('account.get'), 'auth', 'account.get'],
    ] as const) {
      const stranger = await natsAs(user);
      const metric = `waypost_bus_invalid_total{name="${name}"}`;
      const payloads = ['', 'not JSON', '{"v":2}', '{"specversion":"1.0","data":{"partitions":"all"}}'];
      const isRequest = subject.startsWith('waypost.request.');
      for (const payload of payloads) {
        if (!isRequest) stranger.publish(subject, payload);
        // Who asks is told, and doesn't wait.
        else assert.ok((await stranger.request(subject, payload, { timeout: 5000 })).string().length > 0);
      }
      await stranger.flush();
      await until(`${name} is counted`, 5_000, async () => (await counted(service, metric)) === payloads.length);
      await stranger.close();
    }
    await accepted('after strangers');
    await arrived(admin, 'after strangers');
    assert.deepEqual(cluster.pids(), pids);
  });

  it('leaves accepted messages and deliveries of a newer release alone, counts them, and goes on', async () => {
    await using client = new MongoClient(readFileSync(secretOf('queue.mongodb-url'), 'utf8').trim());
    const [accepts, deliveries] = ['accepts', 'deliveries'].map((name) =>
      client.db().collection<{ _id: string }>(name),
    );
    const [accept, delivery] = await Promise.all([accepts!.findOne(), deliveries!.findOne()]);
    const messageId = newId();
    const v = newestReadable + 1;
    const due = { state: 'queued', lane: 1, done: 0 };
    const newer = [
      { collection: accepts!, document: { ...accept, _id: messageId, routedAt: null, v } },
      { collection: deliveries!, document: { ...delivery, _id: `${messageId}/0000`, messageId, ...due, v } },
    ];
    for (const { collection, document } of newer) await collection.insertOne(document);
    for (const name of ['accepts', 'deliveries']) {
      const metric = `waypost_store_newer_documents_total{collection="${name}"}`;
      await until(`${name} are counted`, 10_000, async () => (await counted('queue', metric)) > 0);
    }
    await accepted('after the newer');
    await arrived(admin, 'after the newer');
    for (const { collection, document } of newer) {
      assert.deepEqual(await collection.findOne({ _id: document._id }), document, 'it was left alone');
    }
  });

  it('waits at the start for MongoDB, says so, and starts when it comes; it ends at once when it is told to', async () => {
    const ingress = only('ingress');
    await ingress.terminate();
    const primary = await cluster.mongo.primary();
    await primary.kill();

    const inVain = assert.rejects(ingress.start(), /ended with 0/);
    const saysWhy = (): Promise<void> =>
      until('it says what it waits for', 20_000, async () => {
        const { status, text } = await ops(ingress, '/readyz');
        return status === 503 && /"reason":"starting: nothing answers at the address of MongoDB/.test(text);
      });
    await saysWhy();
    assert.equal((await ops(ingress, '/livez')).status, 200);
    const begun = performance.now();
    assert.equal(await ingress.terminate(), 0);
    assert.ok(performance.now() - begun < 5_000);
    await inVain;

    const started = ingress.start();
    await saysWhy();
    await primary.start();
    await started;
    await until(
      'mail is taken and delivered',
      20_000,
      async () => (await ops(only('mailbox'), '/readyz')).status === 200,
    );
    await accepted('after MongoDB');
    await arrived(admin, 'after MongoDB', { timeoutMs: 20_000 });
  });
});
