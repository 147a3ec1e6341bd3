import type { DkimAlgorithm } from '../../mail/dkim/algorithm.ts';

/**
 * DKIM keys of our domains. Domains are keys (A-labels in lower case) and must be in the directory; their keys go with them. What an implementer must keep:
 *
 * - Of a domain at most one key for each algorithm is active: making one active retires the other in the same step, and no reader sees both or neither.
 * - A change that is repeated changes nothing.
 */
export interface DkimKeys {
  /** All of a domain, oldest first, without their private keys; [] for a domain that has none or isn't there. */
  list(domain: string): Promise<readonly DkimKey[]>;
  /** @throws NotFound (`domain`), AlreadyExists (of that selector), Refused (`tooManyDkimKeys`) past 20 of a domain */
  add(key: NewDkimKey): Promise<void>;
  /**
   * `active`: signs from now on; the domain's other active key of the algorithm is retired. `retired`: signs no longer. `removeAt` (ms) is when what is retired by
   * this is to go. @throws NotFound (`DKIM key`)
   */
  setState(change: DkimKeyChange): Promise<void>;
  /** @throws NotFound (`DKIM key`), Refused (`dkimKeyActive`): an active one is retired first */
  remove(domain: string, selector: string): Promise<void>;

  /** For signers: active keys of these domains (at most 100). */
  active(domains: readonly string[]): Promise<readonly SigningKey[]>;

  /** For the sweep: keys that are new and wait for their DNS record, and retired ones whose time has come; at most `limit` of each. */
  due(now: number, limit: number): Promise<DueDkimKeys>;
}

/** `new`: made, its DNS record may be missing. `active`: signs. `retired`: its DNS record stays for mail that is under way. */
export type DkimKeyState = 'new' | 'active' | 'retired';

export interface DkimKey {
  domain: string;
  /** RFC 6376 §3.1: one label in lower case. */
  selector: string;
  algorithm: DkimAlgorithm;
  /** As `p=` of the DNS record: base64. */
  publicKey: string;
  state: DkimKeyState;
  /** A new one that becomes active by itself once its DNS record is seen; how long (ms) the one it replaces is then kept. */
  awaits: { keepMs: number } | null;
  createdAt: number;
  activatedAt: number | null;
  retiredAt: number | null;
  /** When a retired one is removed. */
  removeAt: number | null;
}

/** `privateKey`: PKCS #8 (PEM), sealed (libs/runtime/secret-box.ts). */
export type NewDkimKey = Pick<DkimKey, 'domain' | 'selector' | 'algorithm' | 'publicKey' | 'awaits' | 'createdAt'> & {
  privateKey: string;
};

export interface DkimKeyChange {
  domain: string;
  selector: string;
  state: 'active' | 'retired';
  at: number;
  removeAt: number;
}

export type SigningKey = Pick<DkimKey, 'domain' | 'selector' | 'algorithm'> & { privateKey: string };

export interface DueDkimKeys {
  awaiting: readonly DkimKey[];
  removable: readonly DkimKey[];
}
