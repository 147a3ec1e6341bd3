import assert from 'node:assert/strict';
import test from 'node:test';
import type { Route } from '../../libs/config/forms.ts';
import { createQueue } from '../../services/queue/main.ts';
import { type Sink } from '../support/smtp-sink/sink.ts';
import { until } from '../support/until.ts';
import { sinkFor, waitMs } from './delivery-remote-cases.ts';
import { openRemoteSystem } from './remote-fixture.ts';

const routeTo = (domain: string, { host, port }: Pick<Sink, 'host' | 'port'>, login?: [string, string]): Route => ({
  domain,
  sender: undefined,
  scheme: 'smtp',
  host,
  port,
  username: login?.[0],
  password: login?.[1],
  tls: undefined,
});

test('queue and delivery together: mail to several domains goes by its routes, logs in where a route says so, and ends', async (t) => {
  const [open, closed] = [
    await sinkFor(t, { rcpt: ({ recipient }) => (recipient.startsWith('no') ? '550 5.1.1 nobody' : undefined) }),
    await sinkFor(t, { login: { user: 'me', password: 'secret word' } }),
  ];
  const routes = [
    routeTo('far.test', open),
    routeTo('other.test', open),
    routeTo('smart.test', closed, ['me', 'secret word']),
  ];
  const mail = await openRemoteSystem(t, { routes, owns: false });
  await mail.startService(createQueue({ ...mail.queueDeps(), config: { ...mail.config, routes } }));
  await mail.startDelivery({ batches: 10 });
  const ids: string[] = [];
  for (let n = 0; n < 40; n++) {
    const domain = ['far.test', 'other.test', 'smart.test', 'far.test'][n % 4] ?? '';
    ids.push(await mail.send([`u${n}@${domain}`, ...(n % 8 === 0 ? [`no${n}@far.test`] : [])]));
  }
  mail.bus.wake('queue.rows', { partitions: Array.from({ length: 256 }, (_, n) => n) });
  await until('all ended', waitMs, async () => {
    const { byState } = await mail.deliveries.counts();
    return byState.delivered === 40 && byState.queued + byState.leased + byState.deferred === 0;
  }).catch(async (error: unknown) => assert.fail(`${String(error)} ${JSON.stringify(await mail.deliveries.counts())}`));
  assert.equal(open.delivered + closed.delivered, 40);
  assert.ok(closed.messages.every(({ user }) => user === 'me'));
  for (const id of ids) for (const row of await mail.deliveries.ofMessage(id)) assert.equal(row.attempts, 1, row.id);
});
