import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { newId } from '../../libs/runtime/ids.ts';
import { until } from '../support/until.ts';
import { allPartitions, dayMs, enqueue, hourMs, makeMessage, type OpenQueue, sha256 } from './spool-messages.ts';

/** What each adapter of Spool keeps. `open` gives an empty store. */
export function spoolContract(name: string, open: () => Promise<OpenQueue>): void {
  describe(`spool contract: ${name}`, () => {
    let store: OpenQueue;
    before(async () => {
      store = await open();
    });
    after(() => store.close());

    it('B8: a message is read back as it was accepted, byte for byte', async () => {
      const bytes = Uint8Array.from({ length: 70_000 }, (_, at) => (at * 31) % 256);
      const message = makeMessage({
        envelope: { reversePath: 'jörg@größe.example', smtputf8: true, body: '8BITMIME', envid: 'x+20y', ret: 'HDRS' },
        source: { by: 'submission', remoteAddress: '2001:db8::1', helo: '[x]', accountId: newId(), tls: 'TLSv1.3' },
        body: { kind: 'inline', bytes },
        sizeBytes: bytes.length,
        sha256: sha256(bytes),
        to: [
          { kind: 'inbox', notify: ['SUCCESS', 'DELAY'], originalRecipient: 'rfc822;a@b.example' },
          { kind: 'remote', recipient: 'x@remote.example', notify: 'NEVER', priority: 2 },
          { kind: 'remote', recipient: 'y@remote.example', reversePath: 'SRS0=x=y=größe.example=jörg@example.test' },
          { kind: 'sent' },
        ],
      });
      assert.deepEqual(await store.spool.accept(message), { accepted: true, messageId: message.messageId });
      const read = (await store.spool.read([message.messageId, newId()])) as Map<string, typeof message>;
      assert.deepEqual([...read.keys()], [message.messageId]);
      const { body, ...rest } = read.get(message.messageId)!;
      const { body: _, ...expected } = message;
      assert.deepEqual(rest, expected);
      assert.ok(body.kind === 'inline');
      assert.equal(sha256(body.bytes), message.sha256);
    });

    it('each delivery has what its target alone says: notification wishes, the address before aliases, its reverse-path', async () => {
      const own = {
        notify: ['FAILURE'],
        originalRecipient: 'rfc822;a@b.example',
        reversePath: 'SRS0=x@b.example',
      } as const;
      const message = makeMessage({ to: [{ kind: 'remote', ...own }, { kind: 'remote' }] });
      await enqueue(store.spool, message);
      const [first, second] = await store.deliveries.ofMessage(message.messageId);
      assert.deepEqual({ ...first, ...own }, first);
      assert.equal(first?.sender, message.envelope.reversePath);
      for (const field of Object.keys(own)) assert.equal(Object.hasOwn(second ?? {}, field), false);
    });

    it('a view into a larger buffer is kept as what it shows', async () => {
      const pool = Buffer.from('beforeMESSAGEafter');
      const message = makeMessage({ body: { kind: 'inline', bytes: pool.subarray(6, 13) } });
      await store.spool.accept(message);
      const body = (await store.spool.read([message.messageId])).get(message.messageId)?.body;
      assert.ok(body?.kind === 'inline');
      assert.equal(Buffer.from(body.bytes).toString(), 'MESSAGE');
    });

    it('an empty body and a blob reference come back', async () => {
      const empty = makeMessage({ text: '' });
      const blob = makeMessage({ body: { kind: 'blob', ref: 'ab/cd/some-ref' } });
      await Promise.all([store.spool.accept(empty), store.spool.accept(blob)]);
      const read = await store.spool.read([empty.messageId, blob.messageId]);
      const body = read.get(empty.messageId)?.body;
      assert.ok(body?.kind === 'inline' && body.bytes.byteLength === 0);
      assert.deepEqual(read.get(blob.messageId)?.body, { kind: 'blob', ref: 'ab/cd/some-ref' });
      assert.deepEqual([...(await store.spool.referredBlobs(['ab/cd/some-ref', 'no/such']))], ['ab/cd/some-ref']);
    });

    it('accepting the same message again is one message: a repeat after an unknown outcome', async () => {
      const message = makeMessage({ to: [{}, {}] });
      const answers = await Promise.all([1, 2, 3].map(() => store.spool.accept(message)));
      for (const answer of answers) assert.deepEqual(answer, { accepted: true, messageId: message.messageId });
      await enqueue(store.spool, message);
      await store.spool.accept(message);
      assert.equal((await store.deliveries.ofMessage(message.messageId)).length, 2);
    });

    it('100 accepts at once are all there, each with all its deliveries', async () => {
      const messages = Array.from({ length: 100 }, (_, at) => makeMessage({ text: `number ${at}`, to: [{}, {}, {}] }));
      await Promise.all(messages.map((message) => store.spool.accept(message)));
      const read = await store.spool.read(messages.map(({ messageId }) => messageId));
      for (const message of messages) {
        const body = read.get(message.messageId)?.body;
        assert.ok(body?.kind === 'inline' && sha256(body.bytes) === message.sha256);
        await store.spool.fanOut(message.messageId);
        const rows = await store.deliveries.ofMessage(message.messageId);
        assert.deepEqual(
          rows.map(({ id, state }) => [id, state]),
          [0, 1, 2].map((n) => [`${message.messageId}/${n}`, 'queued']),
        );
      }
    });

    it('fan-out of what was just accepted is gathered: the rows are there when it resolves, and soon nothing is left for the sweep', async () => {
      const messages = Array.from({ length: 30 }, () => makeMessage({ to: [{}, {}] }));
      await Promise.all(messages.map((message) => store.spool.accept(message)));
      await Promise.all(messages.map(({ messageId }) => store.spool.fanOutSoon(messageId)));
      for (const { messageId } of messages) assert.equal((await store.deliveries.ofMessage(messageId)).length, 2);
      const ours = new Set(messages.map(({ messageId }) => messageId));
      const query = { partitions: allPartitions, acceptedBefore: Date.now() + dayMs, limit: 1_000 };
      await until(
        'all are marked',
        10_000,
        async () => !(await store.spool.unrouted(query)).some((id) => ours.has(id)),
      );
    });

    it('fan-out may be repeated at any time, also when rows have ended, and knows messages that are not there', async () => {
      const message = makeMessage({ to: [{}, {}] });
      const [first = ''] = await enqueue(store.spool, message);
      await store.deliveries.steer({ id: first, action: 'cancel', now: Date.now(), actor: 'admin' });
      assert.equal(await store.spool.fanOut(message.messageId), true);
      const rows = await store.deliveries.ofMessage(message.messageId);
      assert.deepEqual(rows.map((row) => row.state).sort(), ['cancelled', 'queued']);
      assert.equal(await store.spool.fanOut(newId()), false);
    });

    it('what is fanned out is not unrouted, and unrouted names nothing else than accepted messages', async () => {
      const message = makeMessage();
      await store.spool.accept(message);
      const query = { partitions: allPartitions, acceptedBefore: message.acceptedAt + 1, limit: 1000 };
      for (const id of await store.spool.unrouted(query)) assert.equal(await store.spool.fanOut(id), true);
      assert.deepEqual(await store.spool.unrouted(query), []);
      assert.equal((await store.deliveries.ofMessage(message.messageId)).length, 1);
    });

    it('an Idempotency-Key makes one message for 24 h, of one account', async () => {
      const idempotency = { accountId: newId(), key: 'key-1', requestHash: 'h1' };
      const acceptedAt = Date.now();
      const first = makeMessage({ idempotency, acceptedAt });
      assert.equal((await store.spool.accept(first)).accepted, true);
      const known = { messageId: first.messageId, requestHash: 'h1' };
      const second = makeMessage({
        idempotency: { ...idempotency, requestHash: 'h2' },
        acceptedAt: acceptedAt + hourMs,
      });
      assert.deepEqual(await store.spool.accept(second), { accepted: false, ...known });
      assert.equal((await store.spool.read([second.messageId])).size, 0);
      assert.deepEqual(await store.spool.findIdempotent(idempotency.accountId, 'key-1'), known);
      assert.equal(await store.spool.findIdempotent(newId(), 'key-1'), undefined);
      assert.equal((await store.spool.accept(first)).accepted, true, 'a repeat of the first is the first');
      assert.equal(await store.spool.findIdempotent(idempotency.accountId, 'key-1', acceptedAt + dayMs + 1), undefined);
      const later = makeMessage({ idempotency, acceptedAt: acceptedAt + dayMs + 1 });
      assert.equal((await store.spool.accept(later)).accepted, true);
    });

    it('of many sends with one Idempotency-Key at once, one is accepted and the others name it', async () => {
      const idempotency = { accountId: newId(), key: 'race', requestHash: 'h' };
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => store.spool.accept(makeMessage({ idempotency }))),
      );
      assert.equal(answers.filter((answer) => answer.accepted).length, 1);
      assert.equal(new Set(answers.map((answer) => answer.messageId)).size, 1);
    });

    it('a probe commits', async () => {
      assert.equal(await store.spool.probe(5_000), true);
    });
  });
}
