import { parseAddress, splitSubaddress } from '../mail/address/mailbox-address.ts';
import { BoundedCache } from '../runtime/bounded-cache.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Directory } from '../store/ports/directory.ts';

/** How long an account's addresses are good without asking again: a change holds everywhere within 2 s, and the reading takes a moment. */
const ttlMs = 1500;
/** Accounts remembered. */
const cap = 1000;

/**
 * Which addresses an account may write in the name of: its own, the aliases that lead straight to it, and their subaddresses; of a domain whose catch-all
 * leads to it those that nobody has.
 */
export class SenderRights {
  readonly #directory: Pick<Directory, 'addressesOf' | 'lookup'>;
  readonly #known: BoundedCache<string, ReadonlySet<string>>;

  constructor(directory: Pick<Directory, 'addressesOf' | 'lookup'>, clock: Clock) {
    this.#directory = directory;
    this.#known = new BoundedCache({ cap, ttlMs, clock });
  }

  /** Rejects with what the directory rejects with. */
  async mayUse(accountId: string, address: string): Promise<boolean> {
    const parsed = parseAddress(address);
    if (!parsed) return false;
    const keys = await this.#addresses(accountId);
    if (keys.has(parsed.key)) return true;
    const { user, tag } = splitSubaddress(parsed.localPart);
    const untagged = tag === undefined ? undefined : parseAddress(`${user}@${parsed.domain}`)?.key;
    if (untagged !== undefined && keys.has(untagged)) return true;
    if (!keys.has(`@${parsed.domain}`)) return false;
    const named = untagged === undefined ? [parsed.key] : [parsed.key, untagged];
    return (await this.#directory.lookup({ keys: named, domains: [] })).entries.size === 0;
  }

  async #addresses(accountId: string): Promise<ReadonlySet<string>> {
    const known = this.#known.get(accountId);
    if (known) return known;
    const keys = new Set(await this.#directory.addressesOf(accountId));
    this.#known.set(accountId, keys);
    return keys;
  }
}
