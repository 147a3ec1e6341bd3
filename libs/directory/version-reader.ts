import { BoundedCache } from '../runtime/bounded-cache.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Directory } from '../store/ports/directory.ts';

/** The credentialVersion of accounts, read at most every 2 s for each; undefined for one that is gone or disabled. */
export class VersionReader {
  readonly #directory: Pick<Directory, 'credentialVersions'>;
  readonly #read: BoundedCache<string, Promise<number | undefined>>;

  constructor(directory: Pick<Directory, 'credentialVersions'>, clock: Clock) {
    this.#directory = directory;
    this.#read = new BoundedCache({ cap: 20_000, ttlMs: 2000, clock });
  }

  of(accountId: string): Promise<number | undefined> {
    const known = this.#read.get(accountId);
    if (known !== undefined) return known;
    const reading = this.#ask(accountId);
    this.#read.set(accountId, reading);
    // A failure isn't an answer: the next caller reads again.
    reading.catch(() => this.#read.delete(accountId));
    return reading;
  }

  async #ask(accountId: string): Promise<number | undefined> {
    return (await this.#directory.credentialVersions([accountId])).get(accountId);
  }
}
