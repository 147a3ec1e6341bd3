import { apiClient } from '../support/api-client.ts';
import { until } from '../support/until.ts';
import { type Figures, measure, type Options, printFigures } from './figures.ts';
import { smtpLoad } from './load.ts';
import { type MeasuredSystem, startMeasured } from './measured-system.ts';
import { dovecotInstalled, startDovecot } from './peers/dovecot.ts';
import { postfixInstalled, startPostfix } from './peers/postfix.ts';

/** From the first byte of SMTP until the last message is in its mailbox, beside Postfix with Dovecot's LMTP. Rounds alternate. */
export async function benchMailbox(options: Options): Promise<void> {
  const peers = postfixInstalled() && dovecotInstalled();
  if (!peers) console.log('Postfix and Dovecot are not both installed (Debian: postfix dovecot-lmtpd): no ratio');
  for (let round = 1; round <= options.rounds; round += 1) {
    const waypost = await mailboxOfWaypost(options);
    printFigures(`into the mailbox, round ${round}`, {
      waypost,
      'Postfix + Dovecot': peers ? await mailboxOfDovecot(options) : undefined,
    });
  }
}

async function mailboxOfWaypost(options: Options): Promise<Figures> {
  const waypost = await startMeasured(options);
  try {
    const deliver = (messages: number, inAll: number): Promise<number> =>
      untilDelivered(
        () => smtpLoad({ ports: waypost.smtpPorts, to: waypost.admin.address }, { ...options, messages }),
        async () => (await inboxCount(waypost)) >= inAll,
      );
    await deliver(options.warmUp, options.warmUp);
    return await waypost.counted(options.messages, () =>
      measure(waypost.pids, options.messages, () => deliver(options.messages, options.warmUp + options.messages)),
    );
  } finally {
    await waypost.dispose();
  }
}

async function mailboxOfDovecot(options: Options): Promise<Figures> {
  const dovecot = await startDovecot();
  const postfix = await startPostfix(`inet:127.0.0.1:${dovecot.lmtpPort}`);
  try {
    const deliver = (messages: number, inAll: number): Promise<number> =>
      untilDelivered(
        () => smtpLoad({ ports: [postfix.port], to: 'alice@example.test' }, { ...options, messages }),
        () => dovecot.count('alice') >= inAll,
      );
    await deliver(options.warmUp, options.warmUp);
    const dovecotCost = await measure([dovecot.pid], options.messages, async () => {
      figures = await measure([postfix.pid], options.messages, () =>
        deliver(options.messages, options.warmUp + options.messages),
      );
      return 1;
    });
    const { perSecond, cpuPer10k, memoryMb } = figures;
    return { perSecond, cpuPer10k: cpuPer10k + dovecotCost.cpuPer10k, memoryMb: memoryMb + dovecotCost.memoryMb };
  } finally {
    await postfix.stop();
    dovecot.stop();
  }
}

let figures: Figures = { perSecond: 0, cpuPer10k: 0, memoryMb: 0 };

async function untilDelivered(
  load: () => Promise<number>,
  delivered: () => Promise<boolean> | boolean,
): Promise<number> {
  const startedMs = performance.now();
  await load();
  await until('the last message is in the mailbox', 600_000, delivered);
  return (performance.now() - startedMs) / 1000;
}

async function inboxCount(waypost: MeasuredSystem): Promise<number> {
  const { items } = await apiClient(waypost.api, waypost.admin).get('/api/v1/accounts/me/mailboxes');
  return items.find((mailbox: { role: string }) => mailbox.role === 'inbox').totalEmails;
}
