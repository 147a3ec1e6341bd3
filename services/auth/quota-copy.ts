import type { AuthContext } from './context.ts';

/**
 * Makes the function that brings quotas from the directory to the mailboxes, where deliveries check them. The two have no common transaction: a quota
 * counts as copied only when it is still the directory's after it was written, else it is written again; what fails is tried again at each sweep.
 * Runs follow one another, so that of two values the later one stays.
 */
export function quotaCopier(
  context: Pick<AuthContext, 'directoryAdmin' | 'mailboxes' | 'metrics' | 'log'>,
): () => Promise<void> {
  let running = Promise.resolve();
  let waiting: Promise<void> | undefined;
  return () => {
    // One run that hasn't begun serves all who come before it begins.
    waiting ??= running.then(() => {
      waiting = undefined;
      running = copyAll(context);
      return running;
    });
    return waiting;
  };
}

async function copyAll(context: Parameters<typeof quotaCopier>[0]): Promise<void> {
  try {
    for (let round = 0; round < maxRounds; round++) {
      const quotas = await context.directoryAdmin.uncopiedQuotas(perRound);
      let copied = 0;
      for (const { accountId, quota, version } of quotas) {
        await context.mailboxes.setQuota(accountId, quota);
        if (await context.directoryAdmin.quotaCopied(accountId, version)) copied += 1;
      }
      if (quotas.length < perRound && copied === quotas.length) return;
    }
  } catch (error) {
    context.metrics.quotaCopyFailures.inc();
    context.log.warn({ err: error }, 'quotas could not be copied to the mailboxes; the next sweep tries again');
  }
}

const perRound = 100;
/** Bounds one run; the next sweep goes on. */
const maxRounds = 50;
