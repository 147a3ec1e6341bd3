import type { Bus } from '../../libs/bus/port.ts';
import type { Logger } from '../../libs/ops/logger.ts';
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

/** Removes the mail of accounts that are gone, then tells auth, which names them until it has heard so. Safe to repeat at any point. */
export async function sweepRemovedAccounts(
  { bus, directory, mailboxes, log }: RemovedAccountsDeps,
  signal: AbortSignal,
): Promise<void> {
  for (const { id } of await directory.removedAccounts(accountsPerSweep)) {
    let messages = 0;
    for (let removed = messagesPerCall; removed > 0; messages += removed) {
      if (signal.aborted) return;
      removed = await mailboxes.removeAccount(id, messagesPerCall);
    }
    await bus.request('account.purged', { id }, { timeoutMs: reportTimeoutMs, signal });
    log.info({ accountId: id, messages }, 'the mail of a removed account is gone');
  }
}
