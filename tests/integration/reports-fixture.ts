import { createHash } from 'node:crypto';
import type { TestContext } from 'node:test';
import { Registry } from 'prom-client';
import { acceptMessage } from '../../libs/accept/accept.ts';
import { Ranks } from '../../libs/accept/ranks.ts';
import { buildTargets, type ResolvedRecipient } from '../../libs/accept/targets.ts';
import { type ScheduleConfig, scheduleFor } from '../../libs/delivery/schedules.ts';
import { newId } from '../../libs/runtime/ids.ts';
import type { Outcome } from '../../libs/store/ports/deliveries.ts';
import type { Envelope } from '../../libs/store/ports/spool.ts';
import { queueMetrics } from '../../services/queue/metrics.ts';
import { reportId } from '../../services/queue/reports/report-id.ts';
import { Reporter } from '../../services/queue/reports/reporter.ts';
import { allPartitions } from '../contract/spool-messages.ts';
import { type MailSystemOptions, openMailSystem } from './mail-system.ts';

export interface Sent extends Partial<Envelope> {
  sender?: string;
  to?: readonly (string | (Pick<ResolvedRecipient, 'notify' | 'originalRecipient'> & { recipient: string }))[];
  /** Of an account here, in place of `to`. */
  account?: { id: string } & Pick<ResolvedRecipient, 'notify'>;
  delayMs?: number;
  raw?: string;
}

const kinds = ['failure', 'delay', 'success'] as const;

/** A store whose time the test moves: what workers say is recorded by the ports, and reporters run when the test says so. No service does. */
export async function openReports(
  t: Pick<TestContext, 'after'>,
  { schedules: given = {}, ...options }: MailSystemOptions & { schedules?: Partial<ScheduleConfig> } = {},
) {
  const mail = await openMailSystem(t, options);
  const { clock, deliveries, partitions, spool } = mail;
  const alice = await mail.addAccount('alice');
  const schedules: ScheduleConfig = { ...mail.config, ...given };
  const owner = 'test';
  const leases = await partitions.acquire({ owner, partitions: allPartitions, leaseMs: 600_000 });
  const deps = { ...mail, host: mail.config, schedules };

  async function send(sent: Sent = {}): Promise<string> {
    const { sender = 'alice@example.test', to = ['bob@far.test'], account, delayMs = 0 } = sent;
    const { raw = 'Subject: hello\r\n\r\nhello\r\n', ...envelope } = sent;
    const bytes = Buffer.from(raw);
    const nowMs = clock.nowMs();
    const recipients = to.map((each): ResolvedRecipient => {
      const about = typeof each === 'string' ? { recipient: each } : each;
      const domain = about.recipient.slice(about.recipient.lastIndexOf('@') + 1);
      return { ...about, resolution: { kind: 'remote', domain } };
    });
    const local = account && {
      recipient: `${account.id}@example.test`,
      resolution: {
        kind: 'local' as const,
        targets: [{ accountId: account.id, address: '', enabled: true, overQuota: false }],
      },
      ...(account.notify !== undefined && { notify: account.notify }),
    };
    const messageId = newId();
    const targets = buildTargets(
      {
        recipients: local === undefined ? recipients : [local],
        sender,
        sizeBytes: bytes.length,
        priority: 1,
        nowMs,
        dueAt: nowMs + delayMs,
        scheduleOf: (about) => scheduleFor(about, schedules),
      },
      new Ranks(),
    );
    const { envid, ret, smtputf8 = false } = envelope;
    await acceptMessage(mail, {
      messageId,
      acceptedAt: nowMs,
      envelope: {
        reversePath: sender,
        smtputf8,
        body: '8BITMIME',
        ...(envid !== undefined && { envid }),
        ...(ret !== undefined && { ret }),
      },
      source: { by: 'submission' },
      trace: 'Received: by mail.example.test; now\r\n',
      body: { kind: 'inline', bytes },
      sizeBytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      targets,
    });
    await spool.fanOut(messageId);
    return messageId;
  }

  /** A worker's attempt and its end. */
  async function attempt(id: string, result: Outcome['result'], about: Pick<Outcome, 'with'> = {}): Promise<void> {
    const now = clock.nowMs();
    const [row] = await deliveries.claim({ owner, leases, ids: [id], token: newId(), leaseMs: 60_000, now });
    if (row?.claim === undefined) throw new Error(`${id} can't be claimed`);
    await deliveries.record([{ id, claim: row.claim, at: now, result, ...about }]);
  }

  return {
    ...mail,
    alice,
    deps,
    leases,
    send,
    attempt,
    reporter: () =>
      new Reporter({ ...deps, metrics: queueMetrics(new Registry()), messagePartitions: () => allPartitions }),
    /** What an owner's sweep does by time, and then its reporter, a new one each time. */
    async sweep(): Promise<void> {
      const query = { partitions: allPartitions, now: clock.nowMs(), limit: 100 };
      await deliveries.noteDelays(query);
      await deliveries.expireRows(query);
      await this.reporter().round(new AbortController().signal);
    },
    /** All reports that there are on a message, by kind. */
    async reports(
      messageId: string,
    ): Promise<{ kind: (typeof kinds)[number]; raw: string; recipient: string; smtputf8: boolean }[]> {
      const ids = new Map(
        kinds.flatMap((kind) => [1, 2, 3, 4, 5].map((n) => [reportId(messageId, n, kind), kind] as const)),
      );
      const found = await spool.read([...ids.keys()]);
      return [...found].map(([id, { body, targets, envelope }]) => {
        if (body.kind !== 'inline' || envelope.reversePath !== '') throw new Error('not a report');
        const raw = Buffer.from(body.bytes).toString();
        return {
          kind: ids.get(id) ?? 'failure',
          raw,
          recipient: targets[0]?.recipient ?? '',
          smtputf8: envelope.smtputf8,
        };
      });
    },
  };
}

export type Reports = Awaited<ReturnType<typeof openReports>>;
