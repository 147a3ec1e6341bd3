/**
 * Domains, accounts and aliases: what ingress, queue and mailbox may read, and only auth may change (DirectoryAdmin). No credentials here.
 * Keys of addresses and domains are those of libs/mail/address: lower-case NFC local part, A-label domain.
 */
export interface Directory {
  /** The entries of exact keys (`local@domain`, or `@domain` for a catch-all), and which of the domains are ours. One round trip for many. */
  lookup(query: { keys: readonly string[]; domains: readonly string[] }): Promise<DirectoryLookup>;
  accounts(ids: readonly string[]): Promise<ReadonlyMap<string, Account>>;
  /** The current credentialVersion of each account that exists and is enabled; others are missing. */
  credentialVersions(ids: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** All addresses (keys) that the account may use as a sender: its own and the aliases that name it as a direct target. */
  addressesOf(accountId: string): Promise<readonly string[]>;
  /** The enabled administrators, oldest first: whom mail to postmaster reaches when nobody is named so. */
  administrators(limit: number): Promise<readonly Account[]>;
  /**
   * Accounts that were removed and whose mail hasn't been reported gone (DirectoryAdmin.accountPurged), oldest first: what mailbox sweeps, so that
   * a lost event doesn't leave mail for ever.
   */
  removedAccounts(limit: number): Promise<readonly RemovedAccount[]>;
}

export interface DirectoryLookup {
  entries: ReadonlyMap<string, DirectoryEntry>;
  /** Keys of domains that are ours. */
  domains: ReadonlySet<string>;
}

export type DirectoryEntry =
  | { kind: 'account'; account: Account }
  /** Targets as addresses (display form), in the order they were given. */
  | { kind: 'alias'; address: string; targets: readonly string[] };

export interface Account {
  id: string;
  /** Key and typed form. */
  key: string;
  address: string;
  displayName: string | null;
  enabled: boolean;
  admin: boolean;
  quota: { bytes: number | null; messages: number | null };
  /** Grows with each change of a password, an application password, `enabled`, or rights. */
  credentialVersion: number;
  createdAt: number;
}

export interface RemovedAccount {
  id: string;
  key: string;
  removedAt: number;
}

export interface Alias {
  key: string;
  address: string;
  targets: readonly string[];
  createdAt: number;
}

export interface Domain {
  key: string;
  name: string;
  createdAt: number;
}

/**
 * Writes of auth. AlreadyExists and NotFound as their names say; an address is unique over accounts and aliases, and the id of an account is never
 * used again, not even after its removal. Pages go by key, the cursor is the key of the last item seen.
 */
export interface DirectoryAdmin {
  domains(page: { limit: number; cursor?: string }): Promise<readonly Domain[]>;
  addDomain(domain: Domain): Promise<void>;
  /** Refused (`domainInUse`) while accounts or aliases are in it. */
  removeDomain(key: string): Promise<void>;

  listAccounts(page: { limit: number; cursor?: string }): Promise<readonly Account[]>;
  /** The account with its first password hash, in one step. Refused (`noDomain`) when its domain isn't ours. */
  addAccount(account: Account, passwordHash: string): Promise<void>;
  /** Refused (`lastAdministrator`) when no enabled administrator would be left; so is removeAccount. */
  updateAccount(
    id: string,
    patch: {
      displayName?: string | null;
      enabled?: boolean;
      admin?: boolean;
      quota?: Account['quota'];
      passwordHash?: string;
    },
  ): Promise<Account>;
  /** Its credentials and tokens go with it; the id stays in `removedAccounts` until `accountPurged`. */
  removeAccount(id: string, now: number): Promise<void>;
  /** The mail of a removed account is gone. NotFound when no such account was removed; repeating is harmless. */
  accountPurged(id: string, now: number): Promise<void>;

  /** Quotas that Mailboxes may not have yet; `version` names the value. */
  uncopiedQuotas(limit: number): Promise<readonly { accountId: string; quota: Account['quota']; version: number }[]>;
  /**
   * The quota of this version is in Mailboxes. False when it has changed meanwhile (or the account is gone): uncopiedQuotas names the account again, though
   * the later value may have been copied already, for this one may have been written over it.
   */
  quotaCopied(accountId: string, version: number): Promise<boolean>;

  aliases(page: { limit: number; cursor?: string }): Promise<readonly Alias[]>;
  /** Refused (`noDomain`) when its domain isn't ours. */
  addAlias(alias: Alias): Promise<void>;
  updateAlias(key: string, targets: readonly string[]): Promise<Alias>;
  removeAlias(key: string): Promise<void>;
}
