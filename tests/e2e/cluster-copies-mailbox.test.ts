import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { mongoForFile } from '../backends/require.ts';
import { type ApiClient, apiClient, createAccount } from '../support/api-client.ts';
import { type ClusterCopy, type ClusterSystem, startCluster } from '../support/cluster.ts';
import { openEventStream } from '../support/event-stream.ts';
import { allIn, arrived, type Listed, mine, queueIsDone } from '../support/reading.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { until } from '../support/until.ts';

/** Only says whether servers can be had: the cluster brings its own. */
const { skip } = await mongoForFile();

type Account = Awaited<ReturnType<typeof createAccount>>;
/** A reader of a stream learns of a change after so long, whichever copy made it. */
const toldMs = 2_000;

describe('one account at two copies of mailbox', { skip }, () => {
  let cluster: ClusterSystem;
  let admin: ApiClient;
  let a: string;
  let b: string;

  before(async () => {
    cluster = await startCluster({
      copies: { mailbox: 2, queue: 2 },
      environment: { WAYPOST_SAMPLE_ACCOUNTS: 'false' },
    });
    admin = apiClient(cluster.api, cluster.admin);
    [a, b] = cluster.services.mailbox.map(({ ports }) => `http://127.0.0.1:${ports.http}`) as [string, string];
  });
  after(() => cluster?.dispose());

  const account = (name: string): Promise<Account> => createAccount(cluster.api, cluster.admin, `${name}@example.test`);

  async function deliver(to: string, subjects: readonly string[]): Promise<void> {
    const { client } = await SmtpClient.connect(cluster.ports.mx);
    await client.command('EHLO a.test');
    for (const subject of subjects) {
      const { final } = await client.send('c@sender.test', [to], `Subject: ${subject}\r\n\r\nx\r\n`);
      assert.equal(final.code, 250, final.text);
    }
    await client.quit();
  }

  async function batchesOf(copy: ClusterCopy): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${copy.ports.ops}/metrics`)).text();
    return Number(/^waypost_mailbox_delivered_total(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1] ?? 0);
  }

  it('a stream at either copy is told of deliveries and of changes that the other made, and resumes at either', async () => {
    const ann = await account('ann');
    const streams = await Promise.all([a, b].map((base) => openEventStream(base, ann)));
    let states = (await Promise.all(streams.map((stream) => stream.next(toldMs)))).map(({ state }) => state);
    assert.equal(new Set(states).size, 1);

    /** Each stream ends at the state that the list has; a state on the way there may be told too. */
    const areTold = async (what: string): Promise<void> => {
      const { state } = await apiClient(b, ann).get(`${mine}/messages`);
      states = await Promise.all(
        streams.map(async (stream, n) => {
          const deadline = performance.now() + toldMs;
          for (;;) {
            const told = await stream.next(deadline - performance.now());
            assert.notEqual(told.state, states[n], `${what}: told twice`);
            assert.equal(told.id, told.state);
            if (told.state === state) return state;
          }
        }),
      );
    };
    await deliver(ann.address, ['one']);
    const { id } = await arrived(ann, 'one');
    await areTold('a delivery');
    for (const base of [a, b]) {
      const patch = { keywords: { $flagged: base === a } };
      assert.equal((await apiClient(base, ann).request('PATCH', `${mine}/messages/${id}`, patch)).status, 200);
      await areTold(`a PATCH at ${base === a ? 'the first' : 'the second'}`);
    }

    const last = states[0]!;
    for (const stream of streams) stream.close();
    await apiClient(a, ann).request('PATCH', `${mine}/messages/${id}`, { keywords: { $seen: true } });
    const { state } = await apiClient(a, ann).get(`${mine}/messages`);
    for (const base of [a, b]) {
      const resumed = await openEventStream(base, ann, last);
      assert.equal((await resumed.next(toldMs)).state, state);
      resumed.close();
      const changes = await apiClient(base, ann).get(`${mine}/changes?since=${last}`);
      assert.deepEqual([changes.updated, changes.newState], [[id], state]);
    }
  });

  it('/changes read from both in turn while both write leads to what the list shows, and never goes back', async () => {
    const dora = await account('dora');
    const readers = [apiClient(a, dora), apiClient(b, dora)] as const;
    const known = new Map<string, string>();
    let { state } = await dora.get(`${mine}/messages`);
    let steps = 0;
    let behind = 0;
    const seenModseqs: number[] = [];
    const follow = async (): Promise<void> => {
      for (let hasMore = true; hasMore; steps += 1) {
        const reader = readers[steps % 2]!;
        const changes = await reader.get(`${mine}/changes?since=${state}&limit=${1 + (steps % 40)}`);
        // Read at the other copy: what one has told, the other has too.
        const other = readers[(steps + 1) % 2]!;
        for (const id of [...changes.created, ...changes.updated]) {
          const { status, body } = await other.request('GET', `${mine}/messages/${id}`);
          if (status === 200) known.set(id, shown(body));
          else behind += 1;
        }
        for (const id of changes.destroyed) known.delete(id);
        ({ newState: state, hasMore } = changes);
        seenModseqs.push(Number(state.split('.')[1]));
      }
    };

    const subjects = Array.from({ length: 150 }, (_, n) => `dora ${n}`);
    let writing = true;
    const writers = Promise.all([
      deliver(dora.address, subjects.slice(0, 75)),
      deliver(dora.address, subjects.slice(75)),
      ...readers.map((client, n) => write(client, n)),
    ]).finally(() => (writing = false));
    while (writing) await follow();
    await writers;
    await queueIsDone(admin);
    await follow();
    const list = new Map((await allIn(dora)).map((message) => [message.id, shown(message)]));
    assert.ok(list.size > 80);
    assert.deepEqual(known, list);
    assert.deepEqual(
      seenModseqs,
      seenModseqs.toSorted((x, y) => x - y),
    );
    assert.ok(behind < 40, `${behind} messages that were told were not there`);
    assert.ok(Number(state.split('.')[1]) > 300, state);
    const delivered = await Promise.all(cluster.services.mailbox.map(batchesOf));
    assert.ok(
      delivered.every((count) => count > 0),
      `both deliver: ${delivered.join(', ')}`,
    );
  });

  const shown = ({ keywords, mailboxIds }: Listed): string => JSON.stringify([keywords, mailboxIds]);

  /** Flags, moves to trash and expunges what has arrived so far, 120 times. */
  async function write(client: ApiClient, n: number): Promise<void> {
    for (let done = 0; done < 120; ) {
      const { items } = await client.get(`${mine}/messages?limit=50`);
      for (const [at, { id }] of items.entries()) {
        if (at % 2 !== n) continue;
        done += 1;
        const path = `${mine}/messages/${id}`;
        if (done % 11 === 0) await client.request('DELETE', `${path}?permanent=true`);
        else if (done % 7 === 0) await client.request('DELETE', path);
        else await client.request('PATCH', path, { keywords: { $seen: done % 2 === 0, [`k${done % 5}`]: true } });
      }
    }
  }

  it('a page’s cursor is good at the other copy', async () => {
    const pam = await account('pam');
    await deliver(
      pam.address,
      Array.from({ length: 12 }, (_, n) => `pam ${n}`),
    );
    await until('all are there', 10_000, async () => (await allIn(pam)).length === 12);
    const whole = (await allIn(pam)).map(({ id }) => id);
    const pages = async (clients: readonly ApiClient[], path: string): Promise<string[]> => {
      const ids: string[] = [];
      let at = '';
      for (let n = 0; ; n += 1) {
        const page = await clients[n % 2]!.get(`${path}limit=5${at}`);
        ids.push(...page.items.map(({ id }: { id: string }) => id));
        if (page.nextCursor === null) return ids;
        at = `&cursor=${page.nextCursor}`;
      }
    };
    const both = [a, b].map((base) => apiClient(base, pam));
    assert.deepEqual(await pages(both, `${mine}/messages?`), whole);
    const queues = cluster.services.queue.map(({ ports }) =>
      apiClient(`http://127.0.0.1:${ports.http}`, cluster.admin),
    );
    const ofPam = '/api/v1/queue/deliveries?recipient=pam@example.test&';
    const ids = await pages(queues, ofPam);
    assert.equal(new Set(ids).size, 12);
    assert.equal(ids.length, 12);
  });

  it('one Idempotency-Key used at both copies at once makes one message', async () => {
    const ida = await account('ida');
    const send = (base: string, key: string): Promise<{ status: number; body: { id: string } }> =>
      apiClient(base, ida).request(
        'POST',
        `${mine}/messages`,
        { to: [{ email: ida.address }], subject: key, text: 'x' },
        { 'idempotency-key': key },
      );
    const keys = Array.from({ length: 8 }, (_, n) => `key ${n}`);
    for (const key of keys) {
      const answers = await Promise.all([a, b, a, b].map((base) => send(base, key)));
      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]));
      assert.equal(new Set(answers.map(({ body }) => JSON.stringify(body))).size, 1);
    }
    await queueIsDone(admin);
    const subjects = (await allIn(ida, '&mailbox=inbox')).map(({ subject }) => subject).toSorted();
    assert.deepEqual(subjects, keys);
    assert.equal((await allIn(ida, '&mailbox=sent')).length, keys.length);
  });

  it('a copy that is told to end ends its streams, and their readers go on at the other', async () => {
    const sam = await account('sam');
    const [, leaving] = cluster.services.mailbox;
    const stream = await openEventStream(b, sam);
    const { id: last } = await stream.next(toldMs);
    const ended = assert.rejects(stream.next(15_000), /the stream ended/);
    const terminated = leaving!.terminate();
    await ended;
    const resumed = await openEventStream(a, sam, last);
    await deliver(sam.address, ['after']);
    // What the copy that ends still holds goes to the other as soon as it is given back.
    assert.notEqual((await resumed.next(15_000)).state, last);
    resumed.close();
    assert.equal(await terminated, 0);
    await arrived(apiClient(a, sam), 'after');
    await leaving!.start();
    assert.equal((await allIn(apiClient(b, sam))).length, 1);
  });
});
