import { setTimeout as sleep } from 'node:timers/promises';
import { type Command, type CommandContext, UsageError } from '../command.ts';
import { frameLines } from '../top/frame.ts';
import { openScreen } from '../top/screen.ts';
import { type Snapshot, snapshotTaker } from '../top/snapshot.ts';

export const queueTopCommand: Command = {
  name: 'queue top',
  usage: '[--every SECONDS] [--once]',
  summary: 'the queue as it is, again every 2 s until Ctrl-C; --json: a line for each',
  options: { every: { type: 'string' }, once: { type: 'boolean' } },
  async run(context) {
    const everyMs = everyOf(context);
    const take = snapshotTaker(context.api());
    const first = await take();
    if (context.flag('once')) {
      if (context.output.json) context.output.record({ ...first });
      else for (const line of frameLines(first, undefined, { columns: 200, rows: 200 })) context.output.say(line);
      return;
    }
    const ended = new AbortController();
    const end = (): void => ended.abort();
    process.once('SIGINT', end).once('SIGTERM', end);
    const screen = openScreen(process.stdout, context.output.json);
    try {
      await refresh(first, { take, everyMs, signal: ended.signal, show: screen.show });
    } finally {
      screen.close();
      process.off('SIGINT', end).off('SIGTERM', end);
    }
  },
};

interface Refresh {
  take: () => Promise<Snapshot>;
  everyMs: number;
  signal: AbortSignal;
  show: (now: Snapshot, before: Snapshot | undefined, trouble?: string) => void;
}

async function refresh(first: Snapshot, { take, everyMs, signal, show }: Refresh): Promise<void> {
  let [before, now]: [Snapshot | undefined, Snapshot] = [undefined, first];
  show(now, before);
  const aborted = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  while (true) {
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    // A server that is away for a while comes back: what was seen last stays on the screen.
    const next = await Promise.race([take().catch((error: unknown) => asError(error)), aborted]);
    if (next === undefined) return;
    if (next instanceof Error) show(now, before, next.message);
    else {
      [before, now] = [now, next];
      show(now, before);
    }
  }
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

function everyOf(context: CommandContext): number {
  const seconds = Number(context.option('every') ?? 2);
  if (!(seconds >= 0.5 && seconds <= 3600)) throw new UsageError('--every takes seconds, from 0.5 to 3600');
  return seconds * 1000;
}
