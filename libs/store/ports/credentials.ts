/** Secrets, hashed; only auth holds this port. */
export interface Credentials {
  /** The account's password and application passwords; [] for no such account. */
  ofAccount(accountId: string): Promise<readonly CredentialRow[]>;
  appPasswords(accountId: string): Promise<readonly CredentialRow[]>;
  /** Also raises the account's credentialVersion; so does removal. NotFound for no such account; Refused (`tooManyAppPasswords`) past 100. */
  addAppPassword(row: CredentialRow): Promise<void>;
  removeAppPassword(accountId: string, id: string): Promise<void>;

  tokens(accountId: string, page: { limit: number; cursor?: string }): Promise<readonly TokenRow[]>;
  /** NotFound for no such account; Refused (`tooManyTokens`) past 500. */
  addToken(token: TokenRow): Promise<void>;
  /** By the SHA-256 of the token. */
  tokenByHash(hash: string): Promise<TokenRow | undefined>;
  /** Also raises the account's credentialVersion, so that no cache goes on taking the token. */
  removeToken(accountId: string, id: string): Promise<void>;
}

export interface CredentialRow {
  id: string;
  accountId: string;
  kind: 'password' | 'app';
  name: string;
  /** PHC string of argon2id; of an application password, which is random and long, the SHA-256 in hex. */
  hash: string;
  createdAt: number;
}

export interface TokenRow {
  id: string;
  /** Whose rights it has. */
  accountId: string;
  name: string;
  scopes: readonly string[];
  /** SHA-256 of the token, hex: a token has 256 random bits, so a slow hash adds nothing. */
  hash: string;
  expiresAt: number | null;
  createdAt: number;
}

/** Failed logins, counted in the store so that all copies of auth and all restarts see the same. */
export interface LoginLimits {
  /** Failures of each key within its window now. */
  failures(keys: readonly string[], now: number): Promise<readonly { key: string; count: number; resetsAt: number }[]>;
  /** Counts one failure of each key; a window begins with its first failure. */
  fail(keys: readonly string[], windowMs: number, now: number): Promise<void>;
  clear(keys: readonly string[]): Promise<void>;
  /** Keeps in mind until `until` (ms) that a login under this key succeeded. */
  remember(key: string, until: number): Promise<void>;
  /** Until when a success under this key is kept in mind; undefined when none is, now. */
  remembered(key: string, now: number): Promise<number | undefined>;
  /** Removes what has run out, at most `limit` rows; returns how many. */
  purge(now: number, limit: number): Promise<number>;
}
