import type { Connection } from '../engine/connection.ts';
import { openAccount } from './mailboxes/account-state.ts';
import { append } from './mailboxes/append.ts';
import { changes } from './mailboxes/changes.ts';
import { deliver } from './mailboxes/deliver.ts';
import { destroy, purge, removeAccount } from './mailboxes/expunge.ts';
import { list } from './mailboxes/list.ts';
import { createMailbox, deleteMailbox, mailboxes, updateMailbox } from './mailboxes/mailbox-tree.ts';
import { get, raw, setQuota, state, usage } from './mailboxes/read-message.ts';
import { index, unindexed } from './mailboxes/search-index.ts';
import { update } from './mailboxes/update.ts';

export const writes = {
  'mailboxes.open': (connection: Connection, args: { accountId: string }): void => {
    openAccount(connection, args.accountId);
  },
  'mailboxes.deliver': deliver,
  'mailboxes.createMailbox': createMailbox,
  'mailboxes.updateMailbox': updateMailbox,
  'mailboxes.deleteMailbox': deleteMailbox,
  'mailboxes.update': update,
  'mailboxes.destroy': destroy,
  'mailboxes.append': append,
  'mailboxes.setQuota': setQuota,
  'mailboxes.removeAccount': removeAccount,
  'mailboxes.index': index,
  'mailboxes.purge': purge,
};

export const reads = {
  'mailboxes.mailboxes': mailboxes,
  'mailboxes.list': list,
  'mailboxes.get': get,
  'mailboxes.raw': raw,
  'mailboxes.changes': changes,
  'mailboxes.state': state,
  'mailboxes.usage': usage,
  'mailboxes.unindexed': unindexed,
};
