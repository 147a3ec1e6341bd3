import type { Resolution } from '../bus/requests.ts';
import { type Address, parseAddress, splitSubaddress } from '../mail/address/mailbox-address.ts';
import type { Directory, DirectoryLookup } from '../store/ports/directory.ts';
import type { Mailboxes } from '../store/ports/mailboxes.ts';
import { AliasWalk, type Found } from './alias-walk.ts';

export interface ResolveOptions {
  directory: Pick<Directory, 'lookup' | 'administrators'>;
  /** Who is over quota; without it nobody is. */
  mailboxes?: Pick<Mailboxes, 'usage'>;
  host: LocalHost;
}

/** This server's own names. */
export interface LocalHost {
  /** Whose postmaster the bare `postmaster` is (RFC 5321 §4.1.1.3). */
  domain: string;
  /** The name in greetings. Also when it is no domain of ours, mail to it is for us. */
  hostname: string;
  /** Address literals of this host, e.g. `[192.0.2.1]`; mail to one is for `domain` (RFC 5321 §4.1.3). */
  literals?: ReadonlySet<string>;
}

/**
 * Where mail to each address goes, answered in order. For each address: the exact entry, the entry without `+tag`, postmaster (whom RFC 5321 §4.5.1
 * has every server know: the oldest administrator when nobody is named so), the catch-all of its domain. Aliases may lead to aliases, at most 10 deep, and
 * to addresses elsewhere;
 * targets that are no more are passed over while others are left. One Directory.lookup for each level, whatever the number of addresses.
 * Throws what the ports throw (StoreUnavailable).
 */
export async function resolveAddresses(addresses: readonly string[], options: ResolveOptions): Promise<Resolution[]> {
  const walks = addresses.map((address) => new AliasWalk(address));
  let lookup = emptyLookup;
  for (let walking = walks; walking.length > 0; walking = walking.filter((walk) => walk.pending.length > 0)) {
    lookup = await lookUp(walking, options);
    for (const walk of walking) walk.step((address) => find(address, lookup, options.host));
  }
  if (walks.some((walk) => walk.wantsPostmaster)) {
    const postmaster = (await options.directory.administrators(1))[0];
    for (const walk of walks) if (walk.wantsPostmaster && postmaster !== undefined) walk.addAccount(postmaster);
  }
  const over = await overQuota(walks, options.mailboxes);
  return walks.map((walk) => walk.resolution(over));
}

const emptyLookup: DirectoryLookup = { entries: new Map(), domains: new Set() };

async function lookUp(walks: readonly AliasWalk[], { directory, host }: ResolveOptions): Promise<DirectoryLookup> {
  const keys = new Set<string>();
  const domains = new Set<string>();
  for (const text of new Set(walks.flatMap((walk) => walk.pending))) {
    const address = parseLocal(text, host);
    if (address === undefined) continue;
    for (const key of candidateKeys(address)) keys.add(key);
    domains.add(address.domain);
  }
  return keys.size === 0 ? emptyLookup : directory.lookup({ keys: [...keys], domains: [...domains] });
}

function find(text: string, lookup: DirectoryLookup, host: LocalHost): Found {
  const address = parseLocal(text, host);
  if (address === undefined) return { kind: 'unknown' };
  const [exact, user, catchAll] = candidateKeys(address);
  const named = entryOf(exact, lookup) ?? entryOf(user, lookup);
  if (named !== undefined) return named;
  const ours = lookup.domains.has(address.domain);
  const ownName = address.domain === host.hostname || address.domain === host.domain;
  if (isPostmaster(address) && (ours || ownName)) return { kind: 'postmaster' };
  // Nobody but postmaster is at the server's own name, and to look for a server of that name would find this one.
  if (!ours && address.domain !== host.hostname) return outside(address);
  return entryOf(catchAll, lookup) ?? { kind: 'unknown' };
}

function outside({ localPart, domain }: Address): Found {
  return { kind: 'remote', address: `${localPart}@${domain}`, domain };
}

function entryOf(key: string | undefined, lookup: DirectoryLookup): Found | undefined {
  const entry = key === undefined ? undefined : lookup.entries.get(key);
  if (key === undefined || entry === undefined) return undefined;
  return entry.kind === 'account' ? entry : { kind: 'alias', key, targets: entry.targets };
}

/** The address as it stands in RCPT, a literal of this host and the bare postmaster as addresses of its domain. */
function parseLocal(text: string, host: LocalHost): Address | undefined {
  const address = parseAddress(/^postmaster$/i.test(text) ? `${text}@${host.domain}` : text);
  if (address === undefined || host.literals?.has(address.domain) !== true) return address;
  return parseAddress(`${address.localPart}@${host.domain}`);
}

function candidateKeys(address: Address): [exact: string, user: string, catchAll: string] {
  return [address.key, `${userOf(address)}@${address.domain}`, `@${address.domain}`];
}

/** The local part of the key without its tag. */
function userOf({ key }: Address): string {
  return splitSubaddress(key.slice(0, key.lastIndexOf('@'))).user;
}

const isPostmaster = (address: Address): boolean => userOf(address) === 'postmaster';

async function overQuota(
  walks: readonly AliasWalk[],
  mailboxes: Pick<Mailboxes, 'usage'> | undefined,
): Promise<ReadonlySet<string>> {
  const ids = new Set(walks.flatMap((walk) => walk.accountIds()));
  if (mailboxes === undefined || ids.size === 0) return new Set();
  const over = new Set<string>();
  for (const [id, use] of await mailboxes.usage([...ids])) {
    const bytes = use.limitBytes !== null && use.bytes >= use.limitBytes;
    const messages = use.limitMessages !== null && use.messages >= use.limitMessages;
    if (bytes || messages) over.add(id);
  }
  return over;
}
