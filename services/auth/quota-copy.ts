import { isStoreTrouble, NotFound } from '../../libs/store/errors.ts';
import type { AuthContext } from './context.ts';

type UncopiedQuota = Awaited<ReturnType<AuthContext['directoryAdmin']['uncopiedQuotas']>>[number];

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
      let changed = 0;
      let failed = 0;
      for (const uncopied of quotas) {
        const answer = await copyOne(context, uncopied);
        if (answer === 'changed') changed += 1;
        if (answer === 'failed') failed += 1;
      }
      // What was changed meanwhile is for the next round, what has failed for the next sweep.
      if (failed === quotas.length || (quotas.length < perRound && changed === 0)) return;
    }
  } catch (error) {
    context.metrics.quotaCopyFailures.inc();
    context.log.warn({ err: error }, 'quotas could not be copied to the mailboxes; the next sweep tries again');
  }
}

/** An account that can't be written doesn't keep the others waiting; trouble of the store rejects. */
async function copyOne(
  { directoryAdmin, mailboxes, metrics, log }: Parameters<typeof quotaCopier>[0],
  { accountId, quota, version }: UncopiedQuota,
): Promise<'copied' | 'changed' | 'failed'> {
  try {
    await mailboxes.setQuota(accountId, quota);
    return (await directoryAdmin.quotaCopied(accountId, version)) ? 'copied' : 'changed';
  } catch (error) {
    if (isStoreTrouble(error)) throw error;
    // Removed since it was read: nothing is left to be copied.
    if (error instanceof NotFound) return 'copied';
    metrics.quotaCopyFailures.inc();
    log.error({ err: error, accountId }, 'the quota of an account could not be copied; the next sweep tries again');
    return 'failed';
  }
}

const perRound = 100;
/** Bounds one run; the next sweep goes on. */
const maxRounds = 50;
