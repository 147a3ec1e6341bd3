import type { LoginLimits } from '../../libs/store/ports/credentials.ts';
import type { AuthContext } from './context.ts';
import { sweepDkimKeys } from './dkim/sweep.ts';

/** Until `signal` aborts: copies quotas that a crash has left, removes login failures that have run out, and turns DKIM keys over. Errors wait for the next time. */
export async function startSweep(context: AuthContext, limits: LoginLimits, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await context.copyQuotas();
    await purge(context, limits, signal);
    await turnDkimKeys(context, signal);
    await context.clock.sleep(context.config.sweepIntervalMs, signal);
  }
}

async function turnDkimKeys(context: AuthContext, signal: AbortSignal): Promise<void> {
  try {
    await sweepDkimKeys(context, signal);
  } catch (error) {
    if (!signal.aborted) context.log.warn({ err: error }, 'DKIM keys could not be looked after');
  }
}

async function purge(context: AuthContext, limits: LoginLimits, signal: AbortSignal): Promise<void> {
  try {
    let removed = perPurge;
    while (removed === perPurge && !signal.aborted) removed = await limits.purge(context.clock.nowMs(), perPurge);
  } catch (error) {
    context.log.warn({ err: error }, 'old login failures could not be removed');
  }
}

const perPurge = 1_000;
