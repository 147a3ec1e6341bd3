import type { Index } from '../indexes.ts';

/** Of the directory, credentials and login limits. */
export const directoryIndexes: readonly Index[] = [
  {
    collection: 'addresses',
    name: 'addresses_domain',
    key: { domain: 1 },
    useCase: 'whether a domain is in use',
  },
  {
    collection: 'addresses',
    name: 'addresses_aliases',
    key: { kind: 1, _id: 1 },
    useCase: 'aliases by key, lists of them',
    options: { partialFilterExpression: { kind: 'alias' } },
  },
  {
    collection: 'addresses',
    name: 'addresses_targets',
    key: { 'alias.targets.key': 1 },
    useCase: 'the aliases that an account may send as',
    options: { sparse: true },
  },
  {
    collection: 'directoryAccounts',
    name: 'accounts_key',
    key: { key: 1 },
    useCase: 'accounts by address, lists of them; the key is unique by its document in addresses',
  },
  {
    collection: 'directoryAccounts',
    name: 'accounts_admins',
    key: { admin: 1, enabled: 1, createdAt: 1, _id: 1 },
    useCase: 'the administrators who can log in, oldest first',
    options: { partialFilterExpression: { admin: true, enabled: true } },
  },
  {
    collection: 'directoryAccounts',
    name: 'accounts_uncopied',
    key: { uncopied: 1, _id: 1 },
    useCase: 'quotas that mailboxes may not have',
    options: { partialFilterExpression: { uncopied: true } },
  },
  {
    collection: 'removedAccounts',
    name: 'removed_accounts_unpurged',
    key: { removedAt: 1, _id: 1 },
    useCase: 'removed accounts whose mail may be there',
    options: { partialFilterExpression: { purgedAt: null } },
  },
  {
    collection: 'credentials',
    name: 'credentials_account',
    key: { accountId: 1, _id: 1 },
    useCase: 'an account’s password and application passwords',
  },
  {
    collection: 'tokens',
    name: 'tokens_account',
    key: { accountId: 1, _id: 1 },
    useCase: 'an account’s tokens',
  },
  {
    collection: 'tokens',
    name: 'tokens_hash',
    key: { hash: 1 },
    useCase: 'whose a token is',
    options: { unique: true },
  },
  {
    collection: 'loginFailures',
    name: 'login_failures_end',
    key: { resetsAt: 1 },
    useCase: 'garbage: windows that have ended',
  },
  {
    collection: 'loginSuccesses',
    name: 'login_successes_end',
    key: { until: 1 },
    useCase: 'garbage: successes that are no longer kept in mind',
  },
];
