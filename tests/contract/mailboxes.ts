import { after, before, describe } from 'node:test';
import { changesCases } from './mailboxes-changes.ts';
import { Courier, type OpenMailboxes } from './mailboxes-courier.ts';
import { deliverCases } from './mailboxes-deliver.ts';
import { listCases } from './mailboxes-list.ts';
import { messageCases } from './mailboxes-messages.ts';
import { modelCases } from './mailboxes-model.ts';
import { searchCases } from './mailboxes-search.ts';
import { threadCases } from './mailboxes-threads.ts';
import { treeCases } from './mailboxes-tree.ts';

export type { OpenMailboxes } from './mailboxes-courier.ts';

/**
 * What each adapter of Mailboxes keeps. `open` gives an empty store, once; each case works in accounts of its own. Local delivery is tried together
 * with the store's own Spool, Deliveries and Partitions, because an outcome is written with its message.
 */
export function mailboxesContract(name: string, open: () => Promise<OpenMailboxes>): void {
  describe(`mailboxes contract: ${name}`, () => {
    let courier: Courier;
    before(async () => {
      courier = new Courier(await open());
    });
    after(() => courier.store.close());
    const use = (): Courier => courier;

    describe('delivery', () => deliverCases(use));
    describe('mailboxes', () => treeCases(use));
    describe('lists', () => listCases(use));
    describe('messages', () => messageCases(use));
    describe('changes', () => changesCases(use));
    describe('threads', () => threadCases(use));
    describe('counts', () => modelCases(use));
    describe('search', () => searchCases(use));
  });
}
