import type { Collection, Db } from 'mongodb';
import type { DkimKey } from '../../ports/dkim-keys.ts';

export interface DkimCollections {
  /** Holds private keys: for auth and delivery alone. */
  dkimKeys: Collection<DkimKeysDocument>;
}

export function dkimCollections(db: Db): DkimCollections {
  return { dkimKeys: db.collection('dkim_keys') };
}

/** All keys of a domain: few, and changed together. */
export interface DkimKeysDocument {
  /** The domain's key. */
  _id: string;
  v: number;
  /** Oldest first. */
  keys: readonly StoredDkimKey[];
  /** A key waits for its DNS record. */
  awaiting?: true;
  /** When the next key is to be removed. */
  removeAt?: number;
}

/** `privateKey` is sealed. */
export type StoredDkimKey = Omit<DkimKey, 'domain'> & { privateKey: string };
