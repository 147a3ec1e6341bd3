import { createHash } from 'node:crypto';
import type { TestContext } from 'node:test';
import { Registry } from 'prom-client';
import type { Batch } from '../../libs/bus/requests.ts';
import type { Target } from '../../libs/delivery/row.ts';
import { newId } from '../../libs/runtime/ids.ts';
import type { Outcome } from '../../libs/store/ports/deliveries.ts';
import { createQueue } from '../../services/queue/main.ts';
import { startDns } from '../support/dns-server/server.ts';
import type { Zones } from '../support/dns-server/zones.ts';
import { type MailSystemOptions, openMailSystem } from './mail-system.ts';

/** A domain whose mail host answers. */
export const ordinary = (domain: string): Zones => ({
  [domain]: { MX: [`10 mx.${domain}`] },
  [`mx.${domain}`]: { A: ['127.0.0.1'] },
});

export interface RemoteOptions extends MailSystemOptions {
  zones: Zones;
}

/** A system with a queue, a name server, and a worker that the test plays. */
export async function openRemote(t: Pick<TestContext, 'after'>, options: RemoteOptions) {
  const dns = await startDns(options.zones);
  const config = {
    dnsServers: [{ host: dns.host, port: dns.port }],
    allowPrivateDestinations: true,
    deliveryLeaseMs: 5_000,
    ...options.config,
  };
  const mail = await openMailSystem(t, { ...options, config });
  t.after(() => dns.close());
  const metrics = new Registry();
  const queueDeps = () => ({ ...mail.queueDeps(), metrics });
  let owner: string | undefined;
  mail.bus.onWake('queue.ready', (ready) => {
    if (ready.kind === 'remote') owner = ready.owner;
  });

  return {
    ...mail,
    dns,
    metrics,
    queueDeps,
    /** Pulls go to the next one that says it has mail. */
    forgetOwner: () => {
      owner = undefined;
    },
    startQueue: () => mail.startService(createQueue(queueDeps())),
    /** Accepts a message for these addresses; answers its id. */
    async send(recipients: readonly string[], change: { sender?: string } & Partial<Target> = {}): Promise<string> {
      const { sender = 'sender@example.test', ...target } = change;
      const [messageId, now] = [newId(), mail.clock.nowMs()];
      const bytes = Buffer.from('Subject: hello\r\n\r\nhello\r\n');
      const targets = recipients.map((recipient, n) => ({
        n,
        kind: 'remote' as const,
        recipient,
        destination: recipient.slice(recipient.lastIndexOf('@') + 1),
        priority: 1,
        rank: now + n,
        dueAt: now,
        expiresAt: now + mail.config.expireAfterMs,
        ...target,
      }));
      await mail.spool.accept({
        messageId,
        acceptedAt: now,
        envelope: { reversePath: sender, smtputf8: false, body: '7BIT' },
        source: { by: 'submission', accountId: newId(), remoteAddress: '127.0.0.1', helo: 'client' },
        trace: '',
        body: { kind: 'inline', bytes },
        sizeBytes: bytes.length,
        sha256: createHash('sha256').update(bytes).digest('hex'),
        targets,
      });
      await mail.spool.fanOut(messageId);
      mail.wakes.add((await mail.deliveries.ofMessage(messageId)).map(({ partition }) => partition));
      return messageId;
    },
    /** Pulls as a worker does; undefined when there is nothing within `waitMs`. */
    async pullRemote(waitMs = 5_000, capacity = 100): Promise<Batch | undefined> {
      const endsAt = Date.now() + waitMs;
      while (owner === undefined && Date.now() < endsAt) await new Promise((resolve) => setTimeout(resolve, 10));
      if (owner === undefined) return undefined;
      const request = { kind: 'remote', worker: 'test', capacity, waitMs: Math.max(0, endsAt - Date.now()) } as const;
      const batch = await mail.bus.request('queue.pull', request, { to: owner, timeoutMs: waitMs + 10_000 });
      return batch.rows.length === 0 ? undefined : batch;
    },
    async settle(batch: Batch, result: Outcome['result']): Promise<void> {
      const { owner: of, token } = batch.claim;
      await mail.deliveries.record(
        batch.rows.map(({ id, epoch }) => ({ id, claim: { owner: of, epoch, token }, at: mail.clock.nowMs(), result })),
      );
      mail.bus.wake('queue.settled', { owner: of, token });
    },
    async row(messageId: string) {
      const [row] = await mail.deliveries.ofMessage(messageId);
      if (row === undefined) throw new Error('no such message');
      return row;
    },
  };
}

export const delivered = { kind: 'delivered', reply: '250 2.0.0 ok' } as const;
export type RemoteSystem = Awaited<ReturnType<typeof openRemote>>;
