import { startWaypost } from '../support/waypost-process.ts';
import { type Figures, measure, type Options, printFigures } from './figures.ts';
import { smtpLoad } from './load.ts';
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
      rounds.push({ waypost: await acceptOfWaypost(options), postfix: postfix && (await acceptOf(postfix, options)) });
      printFigures(`accept, round ${round}`, rounds.at(-1) ?? {});
    }
  } finally {
    await postfix?.stop();
  }
}

async function acceptOfWaypost(options: Options): Promise<Figures> {
  const waypost = await startWaypost({}, ['auth', 'ingress', 'queue']);
  try {
    return await acceptOf({ port: waypost.ports.mx, pid: waypost.pid }, options);
  } finally {
    await waypost.dispose();
  }
}

async function acceptOf(server: { port: number; pid: number }, options: Options): Promise<Figures> {
  const target = { port: server.port, to: 'alice@example.test' };
  await smtpLoad(target, { ...options, messages: options.warmUp });
  return measure(server.pid, options.messages, () => smtpLoad(target, options));
}
