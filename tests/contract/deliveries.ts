import { after, before, describe } from 'node:test';
import { claimCases } from './deliveries-claims.ts';
import { QueueOwner } from './deliveries-owner.ts';
import { outcomeCases } from './deliveries-outcomes.ts';
import { queueCases } from './deliveries-queue.ts';
import { randomCases } from './deliveries-random.ts';
import { noticeCases } from './deliveries-notices.ts';
import { reportCases } from './deliveries-reports.ts';
import { steerCases } from './deliveries-steer.ts';
import type { OpenQueue } from './spool-messages.ts';

/** What each adapter of Deliveries keeps. `open` gives an empty store. */
export function deliveriesContract(name: string, open: () => Promise<OpenQueue>): void {
  const groups = { claimCases, outcomeCases, reportCases, noticeCases, steerCases, queueCases, randomCases };
  for (const [group, cases] of Object.entries(groups)) {
    describe(`deliveries contract: ${name}: ${group.replace('Cases', '')}`, () => {
      let store: OpenQueue | undefined;
      let owner: QueueOwner | undefined;
      before(async () => {
        store = await open();
        owner = await QueueOwner.of(store, 'owner');
      });
      after(() => store?.close());
      cases(() => {
        if (store === undefined || owner === undefined) throw new Error('not opened');
        return { store, owner };
      });
    });
  }
}
