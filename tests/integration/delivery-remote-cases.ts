import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { startSink, type Sink, type SinkScript, drop, silence } from '../support/smtp-sink/sink.ts';
import { until } from '../support/until.ts';
import { deadHost, hostOf, openRemoteSystem, type RemoteSystem, type RemoteSystemOptions } from './remote-fixture.ts';

export const waitMs = 15_000;

export async function sinkFor(t: TestContext, script: SinkScript = {}): Promise<Sink> {
  const sink = await startSink(script);
  t.after(() => sink.close());
  return sink;
}

export async function statesAre(mail: RemoteSystem, messageId: string, wanted: string): Promise<void> {
  await until(`${wanted}`, waitMs, async () => (await mail.states(messageId)).join() === wanted).catch(
    async (error: unknown) => {
      assert.equal((await mail.states(messageId)).join(), wanted, String(error));
    },
  );
}

/** What holds over each store. */
export function remoteDeliveryCases(
  name: string,
  options: () => RemoteSystemOptions,
  skip: string | false = false,
): void {
  describe(`delivery to other servers: ${name}`, { skip }, () => {
    it('B8: each byte arrives, dots at the beginning of lines too, and the trace names host, address and reply', async (t) => {
      const sink = await sinkFor(t);
      const mail = await openRemoteSystem(t, options());
      mail.way('far.test', [hostOf(sink)]);
      const events: string[] = [];
      mail.bus.subscribe(['mail.delivered'], ({ data }) => void events.push(data.deliveryId));
      const text = 'Subject: dots\r\n\r\n.\r\n..two\r\n.x\r\nend\r\n';
      const id = await mail.send(['b@far.test'], { text });
      const { metrics } = await mail.startDelivery();
      await statesAre(mail, id, 'delivered');
      const [message] = sink.messages;
      const trace = 'Received: from client.example\r\n\tby mail.example.test; now\r\n';
      const sha = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
      assert.equal(sha(message?.raw ?? ''), sha(trace + text));
      assert.equal(message?.mailFrom, 'sender@remote.example');
      assert.equal(message?.helo, 'EHLO mail.example.test');
      const [attempt] = await mail.attempts(`${id}/0`);
      assert.deepEqual([attempt?.event, attempt?.host, attempt?.address], ['delivered', 'mx.sink.test', '127.0.0.1']);
      assert.match(attempt?.reply ?? '', /^250 /);
      await until('told', waitMs, () => events.includes(`${id}/0`));
      assert.equal(await mail.countOf(metrics, 'waypost_delivery_attempts_total', { result: 'delivered' }), 1);
    });

    it('B15: three queued messages for one host go over one connection, three MAIL, one QUIT', async (t) => {
      const sink = await sinkFor(t);
      const mail = await openRemoteSystem(t, options());
      // Different domains of one provider share it too.
      for (const domain of ['far.test', 'other.test']) mail.way(domain, [hostOf(sink)]);
      const ids = [await mail.send(['a@far.test']), await mail.send(['b@far.test']), await mail.send(['c@other.test'])];
      await mail.startDelivery({ batches: 1 });
      for (const id of ids) await statesAre(mail, id, 'delivered');
      await until('closed', waitMs, () => sink.openConnections === 0);
      assert.equal(sink.connections.length, 1);
      const commands = sink.connections[0]?.commands ?? [];
      assert.equal(commands.filter((line) => line.startsWith('MAIL')).length, 3);
      assert.deepEqual(
        commands.filter((line) => line === 'QUIT'),
        ['QUIT'],
      );
      const [standing] = (await mail.groups.groups(['sink.test'])).values();
      await until('the permit is back', waitMs, async () => {
        return (await mail.groups.groups(['sink.test'])).get('sink.test')?.inUse === 0;
      });
      assert.ok(standing !== undefined);
    });

    it('each recipient has its own end: taken, refused, put off', async (t) => {
      const sink = await sinkFor(t, {
        rcpt: ({ recipient }) =>
          ({ 'no@far.test': '550 5.1.1 nobody', 'later@far.test': '451 4.2.0 greylisted' })[recipient],
      });
      const mail = await openRemoteSystem(t, options());
      mail.way('far.test', [hostOf(sink)]);
      const id = await mail.send(['yes@far.test', 'no@far.test', 'later@far.test', 'too@far.test']);
      const startedAt = mail.clock.nowMs();
      await mail.startDelivery();
      await statesAre(mail, id, 'delivered,failed,deferred,delivered');
      const rows = await mail.deliveries.ofMessage(id);
      assert.equal(rows[1]?.lastReply, '550 5.1.1 nobody');
      assert.equal(rows[2]?.lastReply, '451 4.2.0 greylisted');
      assert.ok((rows[2]?.dueAt ?? 0) >= startedAt + 30 * 60_000);
      assert.equal(sink.messages.length, 1, 'one transaction for all of them');
    });

    it('B8: a connection that is cut in the middle of the data, or before the final answer, is no delivery: it is tried again', async (t) => {
      const sink = await sinkFor(t, { final: ({ connection }) => (connection === 1 ? drop : undefined) });
      const mail = await openRemoteSystem(t, options());
      mail.way('far.test', [hostOf(sink)]);
      const id = await mail.send(['b@far.test']);
      const { metrics } = await mail.startDelivery();
      await statesAre(mail, id, 'deferred');
      assert.equal((await mail.deliveries.ofMessage(id))[0]?.lastReplyClass, 'unknown');
      assert.equal(await mail.countOf(metrics, 'waypost_delivery_unknown_total'), 1);
      mail.clock.skip(31 * 60_000);
      mail.ready();
      await statesAre(mail, id, 'delivered');
      sink.script = { dropAfterBytes: 400 };
      const cut = await mail.send(['b@far.test'], { text: `Subject: x\r\n\r\n${'line\r\n'.repeat(1_000_000)}` });
      mail.ready();
      await statesAre(mail, cut, 'deferred');
      assert.equal((await mail.deliveries.ofMessage(cut))[0]?.lastReplyClass, 'network');
      assert.equal(await mail.countOf(metrics, 'waypost_delivery_unknown_total'), 1, 'no answer was missing there');
    });

    it('B11: the next MX is tried when one refuses, is silent or says no; all of them failing defers', async (t) => {
      const [mute, busy, good] = [
        await sinkFor(t, { greeting: silence }),
        await sinkFor(t, { greeting: '554 5.3.2 no mail here' }),
        await sinkFor(t),
      ];
      const mail = await openRemoteSystem(t, options());
      const bad = [deadHost(), hostOf(mute, { group: 'mute.test' }), hostOf(busy, { group: 'busy.test' })];
      mail.way('far.test', [...bad, hostOf(good)]);
      mail.way('gone.test', bad);
      const id = await mail.send(['b@far.test']);
      const gone = await mail.send(['b@gone.test']);
      await mail.startDelivery({ timeLimits: { greeting: 200 } });
      await statesAre(mail, id, 'delivered');
      await statesAre(mail, gone, 'deferred');
      const [attempt] = await mail.attempts(`${gone}/0`);
      assert.equal(attempt?.reply, '554 5.3.2 no mail here');
      await until('told', waitMs, async () => {
        return ((await mail.groups.groups(['dead.test'])).get('dead.test')?.resting?.failures ?? 0) > 0;
      });
    });

    it('two workers at once never have more connections than the limit, and all of it is delivered once', async (t) => {
      const sink = await sinkFor(t, { delayMs: 2 });
      const mail = await openRemoteSystem(t, options());
      const host = hostOf(sink, { limits: { connections: 3, perConnection: 5, perSecond: 0 } });
      mail.way('far.test', [host]);
      for (let n = 0; n < 60; n++) await mail.send([`u${n}@far.test`]);
      const few = { batches: 6, idleMs: 50 };
      await Promise.all([mail.startDelivery(few), mail.startDelivery(few)]);
      await until('all delivered', 30_000, async () => {
        mail.ready();
        return (await mail.deliveries.counts()).byState.delivered === 60;
      });
      assert.equal(sink.delivered, 60);
      assert.ok(sink.maxConcurrent <= 3, `${sink.maxConcurrent} connections`);
      const most = Math.max(
        ...sink.connections.map(({ commands }) => commands.filter((line) => line.startsWith('MAIL')).length),
      );
      assert.ok(most <= 5, `${most} messages over one connection`);
    });
  });
}
