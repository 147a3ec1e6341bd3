import { type Figures, measure, type Options, printFigures } from './figures.ts';
import { smtpLoad } from './load.ts';
import { type MeasuredSystem, startMeasured } from './measured-system.ts';
import { postfixInstalled, startPostfix } from './peers/postfix.ts';

/**
 * How fast mail is accepted, durably, with local delivery held on both sides (Waypost: no mailbox service; Postfix: its hold queue). Rounds alternate, and
 * what counts is the median ratio. Both are warm: messages before the measured ones aren't counted.
 */
export async function benchAccept(options: Options): Promise<void> {
  const rounds: { waypost: Figures; postfix: Figures | undefined }[] = [];
  const postfix = postfixInstalled() ? await startPostfix(undefined) : undefined;
  if (postfix === undefined) console.log('Postfix is not installed (Debian: apt-get install postfix): no ratio');
  try {
    for (let round = 1; round <= options.rounds; round += 1) {
      rounds.push({
        waypost: await acceptOfWaypost(options),
        postfix: postfix && (await acceptOf({ smtpPorts: [postfix.port], pids: [postfix.pid] }, options)),
      });
      printFigures(`accept, round ${round}`, rounds.at(-1) ?? {});
    }
  } finally {
    await postfix?.stop();
  }
}

async function acceptOfWaypost(options: Options): Promise<Figures> {
  // Without mailbox nothing is delivered.
  const waypost = await startMeasured(options, ['auth', 'ingress', 'queue']);
  try {
    return await acceptOf(waypost, options);
  } finally {
    await waypost.dispose();
  }
}

async function acceptOf(
  server: Pick<MeasuredSystem, 'smtpPorts' | 'pids'> & Partial<Pick<MeasuredSystem, 'counted'>>,
  options: Options,
): Promise<Figures> {
  const target = { ports: server.smtpPorts, to: 'alice@example.test' };
  await smtpLoad(target, { ...options, messages: options.warmUp });
  const work = (): Promise<Figures> => measure(server.pids, options.messages, () => smtpLoad(target, options));
  return server.counted === undefined ? work() : server.counted(options.messages, work);
}
