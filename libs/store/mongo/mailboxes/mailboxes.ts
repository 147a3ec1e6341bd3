import type { Mailboxes } from '../../ports/mailboxes.ts';
import { append } from './append.ts';
import { update } from './change-message.ts';
import { changes } from './changes.ts';
import { type MailContext, readAccount, stateOf } from './context.ts';
import { deliver } from './deliver.ts';
import { destroy, purge, removeAccount } from './expunge.ts';
import { list } from './list.ts';
import { get, raw, setQuota, usage } from './read-message.ts';
import { index, unindexed } from './search/search-index.ts';
import { createMailbox, deleteMailbox, mailboxes, updateMailbox } from './tree.ts';

/** Mailboxes in MongoDB. */
export function mongoMailboxes(context: MailContext): Mailboxes {
  return {
    deliver: (deliveries, now) => deliver(context, deliveries, now),

    mailboxes: (accountId) => mailboxes(context, accountId),
    createMailbox: (accountId, mailbox) => createMailbox(context, accountId, mailbox),
    updateMailbox: (accountId, id, patch) => updateMailbox(context, accountId, id, patch),
    deleteMailbox: (accountId, id, options) => deleteMailbox(context, accountId, id, options),

    list: async (accountId, filter, page) => list(context, accountId, filter, page),
    get: (accountId, id) => get(context, accountId, id),
    raw: (accountId, id) => raw(context, accountId, id),

    update: (accountId, id, patch, options) => update(context, accountId, id, patch, options),
    destroy: (accountId, id, options) => destroy(context, accountId, id, options),
    append: (accountId, message) => append(context, accountId, message),

    changes: (accountId, since, limit) => changes(context, accountId, since, limit),
    state: (accountId) => readAccount(context, accountId, (account) => Promise.resolve(stateOf(context, account))),

    usage: (accountIds) => usage(context, accountIds),
    setQuota: (accountId, quota) => setQuota(context, accountId, quota),
    removeAccount: (accountId, limit) => removeAccount(context, accountId, limit, Date.now()),

    unindexed: (limit) => unindexed(context.database, limit),
    index: (entries) => index(context.database, entries),

    purge: (query) => purge(context, query),
  };
}
