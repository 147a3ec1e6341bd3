import type { Resolution } from '../bus/requests.ts';
import type { Account } from '../store/ports/directory.ts';

/** Aliases of aliases; deeper than this is taken for a circle. */
const maxAliasDepth = 10;
/** Accounts and addresses elsewhere that one address may lead to, and targets that one alias may have. */
export const maxTargets = 1_000;
/** Addresses passed on the way: accounts, aliases between them and targets that are no more. */
const maxPassed = 5_000;

/** The way from one address through aliases to accounts and addresses elsewhere, level by level. It ends early when the address is refused. */
export class AliasWalk {
  /** Addresses of the level that is to be looked up next. */
  pending: readonly string[];
  /** Somebody must be found for postmaster. */
  wantsPostmaster = false;
  readonly #accounts = new Map<string, Account>();
  /** Addresses elsewhere, by the form that they are compared by. */
  readonly #outside = new Map<string, Outside>();
  readonly #passed = new Set<string>();
  /** Each alias with the aliases that it leads to, for the search for circles. */
  readonly #aliases = new Map<string, Set<string>>();
  /** Which aliases named a pending address. */
  #namedBy = new Map<string, string[]>();
  #depth = 0;
  #refused: RefusedReason | undefined;
  #remoteDomain: string | undefined;

  constructor(address: string) {
    this.pending = [address];
  }

  /** Takes one level: what each pending address is, its targets become the next level. */
  step(find: (address: string) => Found): void {
    const level = this.pending;
    const namedBy = this.#namedBy;
    this.pending = [];
    this.#namedBy = new Map();
    const next = new Set<string>();
    for (const address of level) {
      if (this.#refused === undefined) this.#take(find(address), namedBy.get(address) ?? [], next);
    }
    this.#depth += 1;
    if (this.#depth > maxAliasDepth && next.size > 0) this.#refuse('loop');
    if (this.#refused === undefined) this.pending = [...next];
  }

  addAccount(account: Account): void {
    this.#accounts.set(account.id, account);
    this.#limitTargets();
  }

  accountIds(): string[] {
    return this.#refused === undefined ? [...this.#accounts.keys()] : [];
  }

  resolution(overQuota: ReadonlySet<string>): Resolution {
    if (this.#remoteDomain !== undefined) return { kind: 'remote', domain: this.#remoteDomain };
    const reason = this.#refused ?? (hasCircle(this.#aliases) ? 'loop' : undefined);
    if (reason !== undefined) return { kind: 'refused', reason };
    if (this.#accounts.size + this.#outside.size === 0) return { kind: 'unknown' };
    const targets = [...this.#accounts.values()].map(({ id, address, enabled }) => {
      return { accountId: id, address, enabled, overQuota: overQuota.has(id) };
    });
    if (this.#outside.size === 0) return { kind: 'local', targets };
    return { kind: 'local', targets, outside: [...this.#outside.values()] };
  }

  #take(found: Found, namedBy: readonly string[], next: Set<string>): void {
    switch (found.kind) {
      case 'account':
        this.addAccount(found.account);
        return;
      case 'postmaster':
        this.wantsPostmaster = true;
        return;
      case 'remote':
        if (this.#depth === 0) this.#remoteDomain = found.domain;
        else this.#addOutside(found);
        return;
      case 'alias':
        for (const alias of namedBy) this.#aliases.get(alias)?.add(found.key);
        if (!this.#aliases.has(found.key)) this.#open(found.key, found.targets, next);
        return;
      case 'unknown':
        return;
    }
  }

  #open(alias: string, targets: readonly string[], next: Set<string>): void {
    this.#aliases.set(alias, new Set());
    if (targets.length > maxTargets || this.#passed.size + targets.length > maxPassed) {
      this.#refuse('tooMany');
      return;
    }
    for (const target of targets) {
      const namedBy = this.#namedBy.get(target);
      if (namedBy === undefined) this.#namedBy.set(target, [alias]);
      else namedBy.push(alias);
      // An address that was passed before is taken again: it may close a circle. The depth and `maxPassed` bound that.
      next.add(target);
      this.#passed.add(target);
    }
  }

  #addOutside({ address, domain }: Outside): void {
    this.#outside.set(address, { address, domain });
    this.#limitTargets();
  }

  #limitTargets(): void {
    if (this.#accounts.size + this.#outside.size > maxTargets) this.#refuse('tooMany');
  }

  #refuse(reason: RefusedReason): void {
    this.#refused ??= reason;
    this.pending = [];
  }
}

/** What an address is in the directory. */
export type Found =
  | { kind: 'account'; account: Account }
  | { kind: 'alias'; key: string; targets: readonly string[] }
  | { kind: 'postmaster' }
  /** `address` with its domain as A-label. */
  | ({ kind: 'remote' } & Outside)
  | { kind: 'unknown' };

interface Outside {
  address: string;
  domain: string;
}

type RefusedReason = Extract<Resolution, { kind: 'refused' }>['reason'];

/** Takes away aliases that nobody (left) leads to, again and again: what remains leads in a circle. */
function hasCircle(aliases: ReadonlyMap<string, ReadonlySet<string>>): boolean {
  const incoming = new Map<string, number>([...aliases.keys()].map((alias) => [alias, 0]));
  for (const targets of aliases.values())
    for (const target of targets) incoming.set(target, (incoming.get(target) ?? 0) + 1);
  const free = [...incoming].filter(([, count]) => count === 0).map(([alias]) => alias);
  let taken = 0;
  for (let alias = free.pop(); alias !== undefined; alias = free.pop()) {
    taken += 1;
    for (const target of aliases.get(alias) ?? []) {
      const left = (incoming.get(target) ?? 0) - 1;
      incoming.set(target, left);
      if (left === 0) free.push(target);
    }
  }
  return taken < aliases.size;
}
