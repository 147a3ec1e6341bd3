import type { DkimKey } from '../../../libs/store/ports/dkim-keys.ts';
import { NotFound, Refused } from '../../../libs/store/errors.ts';
import type { AuthContext } from '../context.ts';
import { checkRecord } from './check.ts';
import { activateKey, removeKey } from './keys.ts';

type Context = Pick<AuthContext, 'dkimKeys' | 'secrets' | 'clock' | 'log' | 'dns'>;

/** One round: keys whose record is in the DNS now begin to sign, and retired ones whose time has come are removed. Several copies of auth may do it at once. */
export async function sweepDkimKeys(context: Context, signal: AbortSignal): Promise<void> {
  const { dkimKeys, clock, dns } = context;
  const { awaiting, removable } = await dkimKeys.due(clock.nowMs(), perSweep);
  for (const key of removable) {
    signal.throwIfAborted();
    await unlessGone(() => removeKey(context, key));
  }
  for (const key of awaiting) {
    if (!isOfAge(key, clock.nowMs())) continue;
    const { result } = await checkRecord(dns, key, signal);
    if (result === 'matches') await unlessGone(() => activateKey(context, key, key.awaits?.keepMs ?? 0));
  }
}

/** After a month nobody will publish it any more; it can still be made active by hand. */
const isOfAge = ({ createdAt }: DkimKey, now: number): boolean => now - createdAt < 30 * 24 * 3_600_000;

const perSweep = 1_000;

/** Another copy or an administrator was there first. */
async function unlessGone(work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof NotFound || error instanceof Refused)) throw error;
  }
}
