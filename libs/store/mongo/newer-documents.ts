import { Refused } from '../errors.ts';
import { newestReadable } from './schema/version.ts';

/** Restricts a query to documents that this release can read; empty where all that it found so far could be. */
export type OnlyReadable = { v?: { $lte: number } };

interface Versioned {
  _id: string;
  v: number;
}

type Told = (document: { collection: string; id: string; version: number }) => void;

/**
 * Documents that a release more than one ahead has written: they are left alone, never changed, and don't keep others from their work. Each is told of once,
 * when it is met first.
 */
export class NewerDocuments {
  readonly #met = new Set<string>();
  #told: Told = () => undefined;

  tell(told: Told): void {
    this.#told = told;
  }

  /** Without those that this release can't read. */
  readable<T extends Versioned>(collection: string, documents: readonly T[]): T[] {
    return documents.filter((document) => !this.#isNewer(collection, document));
  }

  /** @throws Refused (`newerDocument`) */
  check(collection: string, document: Versioned | null): void {
    if (document !== null && this.#isNewer(collection, document)) throw newerDocument(collection, document._id);
  }

  /** What `read` finds without those that this release can't read; it is asked again where some were among them, so that they take nobody's place. */
  async readAround<T extends Versioned>(
    collection: string,
    read: (only: OnlyReadable) => Promise<readonly T[]>,
  ): Promise<readonly T[]> {
    const found = await read({});
    const readable = this.readable(collection, found);
    return readable.length === found.length ? readable : read({ v: { $lte: newestReadable } });
  }

  #isNewer(collection: string, { _id, v }: Versioned): boolean {
    if (v <= newestReadable) return false;
    const key = `${collection}/${_id}`;
    if (!this.#met.has(key) && this.#met.size < maxMet) {
      this.#met.add(key);
      this.#told({ collection, id: _id, version: v });
    }
    return true;
  }
}

export const newerDocument = (collection: string, id: string): Refused =>
  new Refused('newerDocument', `a newer release wrote ${id} in ${collection}: it waits for a release that reads it`);

/** Past it they are left alone without a word. */
const maxMet = 10_000;
