import { impossibleDomain } from '../../libs/accept/impossible-domain.ts';
import { maxTargets } from '../../libs/directory/alias-walk.ts';
import { type ResolveOptions, resolveAddresses } from '../../libs/directory/resolve.ts';
import { normaliseDomain } from '../../libs/mail/address/domain.ts';
import { parseAddress } from '../../libs/mail/address/mailbox-address.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { AlreadyExists, NotFound, Refused } from '../../libs/store/errors.ts';
import type { Alias, Directory } from '../../libs/store/ports/directory.ts';
import type { AuthContext } from './context.ts';

export async function addAlias(
  context: AuthContext,
  input: { address: string; targets: readonly string[] },
): Promise<Alias> {
  const key = aliasKey(input.address);
  if (key === undefined) throw new Refused('invalidAddress', `${input.address} is neither an address nor @domain`);
  const domain = key.slice(key.lastIndexOf('@') + 1);
  const found = await context.directory.lookup({ keys: [key], domains: [domain] });
  if (!found.domains.has(domain)) throw new Refused('noDomain', `${domain} isn't a domain of this system`);
  if (found.entries.has(key)) throw new AlreadyExists('address');
  const targets = await checkedTargets(context, key, input.targets);
  const alias = { key, address: input.address, targets, createdAt: context.clock.nowMs() };
  await context.directoryAdmin.addAlias(alias);
  announce(context, key);
  return alias;
}

export async function updateAlias(context: AuthContext, address: string, targets: readonly string[]): Promise<Alias> {
  const { key } = await getAlias(context, address);
  const alias = await context.directoryAdmin.updateAlias(key, await checkedTargets(context, key, targets));
  announce(context, key);
  return alias;
}

export async function removeAlias(context: AuthContext, address: string): Promise<void> {
  const key = aliasKey(address);
  if (key === undefined) throw new NotFound('alias');
  await context.directoryAdmin.removeAlias(key);
  announce(context, key);
}

export async function getAlias(
  context: AuthContext,
  address: string,
): Promise<{ key: string; address: string; targets: readonly string[] }> {
  const key = aliasKey(address);
  const entry =
    key === undefined ? undefined : (await context.directory.lookup({ keys: [key], domains: [] })).entries.get(key);
  if (key === undefined || entry?.kind !== 'alias') throw new NotFound('alias');
  return { key, address: entry.address, targets: entry.targets };
}

/** The key of an address, or of a catch-all `@domain`. */
export function aliasKey(address: string): string | undefined {
  if (!address.startsWith('@')) return parseAddress(address)?.key;
  const domain = normaliseDomain(address.slice(1));
  return domain === undefined ? undefined : `@${domain}`;
}

/**
 * The targets, each once, when mail to the alias would reach them. A target that nobody has is refused here, though resolving passes over one that has
 * gone later: a slip of the pen should be told to who makes it. Of targets elsewhere only those are refused that can't be anywhere.
 */
async function checkedTargets(
  context: AuthContext,
  key: string,
  targets: readonly string[],
): Promise<readonly string[]> {
  const unique = [...new Map(targets.map((target) => [parseAddress(target)?.key ?? target, target])).values()];
  if (unique.length === 0) throw new Refused('noTargets', 'an alias has at least one target');
  if (unique.length > maxTargets) throw new Refused('tooManyTargets', `an alias has at most ${maxTargets} targets`);
  const options: ResolveOptions = {
    directory: withAlias(context.directory, key, unique),
    host: { domain: context.config.domain, hostname: context.config.hostname },
  };
  // A catch-all is seen through an address that nobody has.
  const itself = key.startsWith('@') ? `${newId()}${key}` : key;
  const [whole, ...each] = await resolveAddresses([itself, ...unique], options);
  for (const [i, result] of each.entries()) {
    const impossible = result.kind === 'remote' && impossibleDomain(result.domain, context.config);
    if (impossible) throw new Refused('impossibleTarget', `${unique[i]}: ${impossible}`);
    if (result.kind === 'unknown') throw new Refused('unknownTarget', `there is no ${unique[i]}`);
  }
  if (whole?.kind === 'refused') throw refusals[whole.reason]();
  return unique;
}

const refusals = {
  loop: () => new Refused('aliasLoop', 'the targets lead back to the alias, or through too many aliases'),
  tooMany: () =>
    new Refused('tooManyTargets', `an alias leads to at most ${maxTargets} accounts and addresses elsewhere`),
};

/** The directory as it would be with the alias in it. */
function withAlias(directory: Directory, key: string, targets: readonly string[]): ResolveOptions['directory'] {
  return {
    administrators: (limit) => directory.administrators(limit),
    lookup: async (query) => {
      const found = await directory.lookup(query);
      if (!query.keys.includes(key)) return found;
      return { ...found, entries: new Map([...found.entries, [key, { kind: 'alias', address: key, targets }]]) };
    },
  };
}

function announce(context: AuthContext, key: string): void {
  context.bus.publish('account.changed', { addresses: [key], change: 'alias' });
}
