import type { Collection, Db } from 'mongodb';
import type { CredentialRow, TokenRow } from '../../ports/credentials.ts';
import type { Account, Domain } from '../../ports/directory.ts';

/** The collections of auth. Others may read domains, addresses, accounts and removed accounts, and nothing that proves who somebody is. */
export interface DirectoryCollections {
  domains: Collection<DomainDocument>;
  addresses: Collection<AddressDocument>;
  /** The `accounts` that mail asks whether they are there, as whole documents. */
  directoryAccounts: Collection<AccountDocument>;
  removedAccounts: Collection<RemovedAccountDocument>;
  credentials: Collection<CredentialDocument>;
  tokens: Collection<TokenDocument>;
  loginFailures: Collection<LoginFailureDocument>;
  loginSuccesses: Collection<LoginSuccessDocument>;
}

export function directoryCollections(db: Db): DirectoryCollections {
  return {
    domains: db.collection('domains'),
    addresses: db.collection('addresses'),
    directoryAccounts: db.collection('accounts'),
    removedAccounts: db.collection('removed_accounts'),
    credentials: db.collection('credentials'),
    tokens: db.collection('tokens'),
    loginFailures: db.collection('login_failures'),
    loginSuccesses: db.collection('login_successes'),
  };
}

export interface DomainDocument {
  /** Its key. */
  _id: string;
  v: 1;
  name: string;
  createdAt: number;
  /** Grows with each address that is taken in it, so that it can't be removed at the same time. */
  changes: number;
}

/** Each address once, of an account or an alias: what keeps it unique over both. */
export interface AddressDocument {
  /** Its key; `@domain` of a catch-all. */
  _id: string;
  v: number;
  kind: 'account' | 'alias';
  domain: string;
  accountId?: string;
  alias?: { address: string; targets: readonly AliasTarget[]; createdAt: number };
}

/** In the form that was given, and the key that it is found by (libs/mail/address). */
export interface AliasTarget {
  target: string;
  key: string;
}

/** No credentials here: others than auth read it. */
export interface AccountDocument extends Omit<Account, 'id'> {
  _id: string;
  v: number;
  /** Names the value of `quota`. */
  quotaVersion: number;
  /** Mailboxes may not have the quota yet. */
  uncopied?: true;
  /** Grows with changes elsewhere that must not happen at once with others of the account. */
  changes: number;
}

/** Kept for ever, so that no id is used again. */
export interface RemovedAccountDocument {
  _id: string;
  v: 1;
  key: string;
  removedAt: number;
  /** Missing as long as its mail may be there. */
  purgedAt?: number | null;
}

/** The `_id` of an account's own password is the accountId. */
export type CredentialDocument = Omit<CredentialRow, 'id'> & { _id: string; v: 1 };

export type TokenDocument = Omit<TokenRow, 'id'> & { _id: string; v: 1 };

export interface LoginFailureDocument {
  /** The key. */
  _id: string;
  v: 1;
  count: number;
  resetsAt: number;
}

export interface LoginSuccessDocument {
  /** The key. */
  _id: string;
  v: 1;
  until: number;
}

export function toAccount(document: AccountDocument): Account {
  const { _id: id, key, address, displayName, enabled, admin, quota, credentialVersion, createdAt } = document;
  const { bytes, messages } = quota;
  return { id, key, address, displayName, enabled, admin, quota: { bytes, messages }, credentialVersion, createdAt };
}

export const toDomain = ({ _id: key, name, createdAt }: DomainDocument): Domain => ({ key, name, createdAt });

export function toCredential({ _id: id, accountId, kind, name, hash, createdAt }: CredentialDocument): CredentialRow {
  return { id, accountId, kind, name, hash, createdAt };
}

export function toToken(document: TokenDocument): TokenRow {
  const { _id: id, accountId, name, scopes, hash, expiresAt, createdAt } = document;
  return { id, accountId, name, scopes, hash, expiresAt, createdAt };
}
