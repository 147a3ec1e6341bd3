import { parseAddress, splitSubaddress } from '../../libs/mail/address/mailbox-address.ts';
import { BoundedCache } from '../../libs/runtime/bounded-cache.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import type { Directory } from '../../libs/store/ports/directory.ts';

/** How long an account's addresses are good without asking again. */
const ttlMs = 5000;
/** Accounts remembered. */
const cap = 1000;

/** Which addresses an account may write in the name of: its own, the aliases that lead straight to it, and their subaddresses. */
export class SenderRights {
  readonly #directory: Pick<Directory, 'addressesOf'>;
  readonly #known: BoundedCache<string, ReadonlySet<string>>;

  constructor(directory: Pick<Directory, 'addressesOf'>, clock: Clock) {
    this.#directory = directory;
    this.#known = new BoundedCache({ cap, ttlMs, clock });
  }

  /** Rejects with what the directory rejects with. */
  async mayUse(accountId: string, address: string): Promise<boolean> {
    const parsed = parseAddress(address);
    if (!parsed) return false;
    const keys = await this.#addresses(accountId);
    if (keys.has(parsed.key) || keys.has(`@${parsed.domain}`)) return true;
    const { user, tag } = splitSubaddress(parsed.localPart);
    return tag !== undefined && keys.has(parseAddress(`${user}@${parsed.domain}`)?.key ?? '');
  }

  async #addresses(accountId: string): Promise<ReadonlySet<string>> {
    const known = this.#known.get(accountId);
    if (known) return known;
    const keys = new Set(await this.#directory.addressesOf(accountId));
    this.#known.set(accountId, keys);
    return keys;
  }
}
