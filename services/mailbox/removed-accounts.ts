import type { Bus } from '../../libs/bus/port.ts';
import type { Logger } from '../../libs/ops/logger.ts';
import { isStoreTrouble } from '../../libs/store/errors.ts';
import type { Directory } from '../../libs/store/ports/directory.ts';
import type { Mailboxes } from '../../libs/store/ports/mailboxes.ts';

export interface RemovedAccountsDeps {
  bus: Bus;
  directory: Pick<Directory, 'removedAccounts'>;
  mailboxes: Pick<Mailboxes, 'removeAccount'>;
  log: Logger;
}

/** Accounts of one sweep, and messages of one transaction. */
const accountsPerSweep = 100;
const messagesPerCall = 500;
const reportTimeoutMs = 5_000;

/**
 * Removes the mail of accounts that are gone, then tells auth, which names them until it has heard so. Safe to repeat at any point. An account that can't be
 * removed doesn't keep the others.
 */
export async function sweepRemovedAccounts(deps: RemovedAccountsDeps, signal: AbortSignal): Promise<void> {
  const { bus, directory, log } = deps;
  for (const { id } of await directory.removedAccounts(accountsPerSweep)) {
    const messages = await removeMail(deps, id, signal);
    if (signal.aborted) return;
    if (messages === 'failed') continue;
    await bus.request('account.purged', { id }, { timeoutMs: reportTimeoutMs, signal });
    log.info({ accountId: id, messages }, 'the mail of a removed account is gone');
  }
}

/** How many messages went. */
async function removeMail(
  { mailboxes, log }: RemovedAccountsDeps,
  id: string,
  signal: AbortSignal,
): Promise<number | 'failed'> {
  let messages = 0;
  try {
    for (let removed = messagesPerCall; removed > 0 && !signal.aborted; messages += removed)
      removed = await mailboxes.removeAccount(id, messagesPerCall);
    return messages;
  } catch (err) {
    if (isStoreTrouble(err)) throw err;
    log.error({ err, accountId: id }, 'the mail of a removed account could not be removed; the next sweep tries again');
    return 'failed';
  }
}
