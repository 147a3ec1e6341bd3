import type { Bus } from '../../libs/bus/port.ts';
import type { Logger } from '../../libs/ops/logger.ts';
import type { Mailboxes } from '../../libs/store/ports/mailboxes.ts';

/** Tells the bus which accounts have changed: once for each account and turn of the event loop, however many changes there were. */
export interface Announcer {
  changed(accountId: string): void;
}

export function createAnnouncer({
  bus,
  mailboxes,
  log,
}: {
  bus: Bus;
  mailboxes: Pick<Mailboxes, 'state'>;
  log: Logger;
}): Announcer {
  let waiting = new Set<string>();

  async function announce(accountId: string): Promise<void> {
    try {
      bus.publish('mailbox.changed', { accountId, state: await mailboxes.state(accountId) });
    } catch (error) {
      // Readers find the change by their own poll; the event only spares them the wait.
      log.debug({ err: error, accountId }, 'a change could not be announced');
    }
  }

  return {
    changed(accountId) {
      if (waiting.size === 0) {
        setImmediate(() => {
          const accounts = waiting;
          waiting = new Set();
          for (const account of accounts) void announce(account);
        });
      }
      waiting.add(accountId);
    },
  };
}
