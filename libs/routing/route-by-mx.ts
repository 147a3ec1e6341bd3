import { findTlsa } from './dane.ts';
import { mailHostGroup } from './group.ts';
import { hostTls } from './host-tls.ts';
import { findMailHosts, loop, type MailHosts } from './mail-hosts.ts';
import { matchesPolicy } from './mta-sts/policy.ts';
import type { StoredPolicy } from './mta-sts/store.ts';
import { type ResolvedHost, resolveHost, type UnusableHost } from './resolve-hosts.ts';
import { permanent, type Routed, type RouteHost, type RouteResult, temporary, type Unroutable } from './result.ts';
import type { RouteOptions } from './route.ts';

/** The mail hosts of a domain (RFC 5321 §5.1). A host that can't be used is passed over; only when all are, there is no route. */
export async function routeByMx(domain: string, options: RouteOptions): Promise<RouteResult> {
  const { config, dns, mtaSts, signal, random = Math.random } = options;
  // Without waiting for each other; when one rejects, the other's result is of no use.
  const [found, sts] = await Promise.all([
    findMailHosts(domain, { dns, ownNames: config.ownNames, random, signal }),
    mtaSts?.policyFor(domain, signal),
  ]);
  if (found.kind !== 'hosts') return found;
  const resolve = { dns, order: config.addressOrder, allowPrivate: config.allowPrivateDestinations, signal };
  const all = await Promise.all(found.hosts.map((record) => resolveHost(record, resolve)));
  const unusable = all.flatMap((host) => ('why' in host ? [host] : []));
  const resolved = all.flatMap((host) => ('why' in host ? [] : [host]));
  const others = withoutOwn(resolved, config.ownAddresses);
  const ttlMs = Math.min(found.ttlMs, ...all.map((host) => host.ttlMs));
  if (others.length === 0)
    return resolved.length > 0 ? loop(domain, ttlMs) : noHost(domain, { found, unusable, ttlMs });
  const named =
    sts?.policy.mode === 'enforce' ? others.filter(({ exchange }) => matchesPolicy(sts.policy, exchange)) : others;
  if (named.length === 0)
    return temporary('4.7.5', `the MTA-STS policy of ${domain} names none of its mail hosts`, ttlMs);
  return withTls(domain, named, { found, sts, options, ttlMs });
}

/** RFC 5321 §5.1 again, for a server that is known by address: itself and all that are no better. */
function withoutOwn(hosts: readonly ResolvedHost[], ownAddresses: readonly string[]): ResolvedHost[] {
  const own = hosts.filter(({ addresses }) => addresses.some(({ address }) => ownAddresses.includes(address)));
  const limit = Math.min(...own.map(({ preference }) => preference));
  return hosts.filter(({ preference }) => preference < limit);
}

async function withTls(
  domain: string,
  hosts: readonly ResolvedHost[],
  context: { found: MailHosts; sts: StoredPolicy | undefined; options: RouteOptions; ttlMs: number },
): Promise<RouteResult> {
  const { found, sts, options } = context;
  const { config, dns, signal, requireTls = false } = options;
  let { ttlMs } = context;
  const usable: RouteHost[] = [];
  const unusable: UnusableHost[] = [];
  const tlsa = await Promise.all(
    hosts.map((host) =>
      found.secure && host.secure ? findTlsa(host, { dns, port: config.mxPort, signal }) : Promise.resolve(undefined),
    ),
  );
  const mode = sts?.policy.mode === 'none' ? undefined : sts?.policy.mode;
  for (const [i, host] of hosts.entries()) {
    const dane = tlsa[i];
    if (dane !== undefined) ttlMs = Math.min(ttlMs, dane.ttlMs);
    if (dane !== undefined && 'why' in dane) {
      unusable.push(dane);
      continue;
    }
    const secure = found.secure && host.secure;
    const decided = hostTls({ domain, host: host.exchange, secure, dane, mtaSts: mode, requireTls });
    if (decided !== undefined) usable.push({ ...routeHost(host, config.mxPort), secure, ...decided });
  }
  if (usable.length === 0) {
    if (unusable.length > 0) return noHost(domain, { found, unusable, ttlMs });
    return permanent('5.7.30', `REQUIRETLS: neither DNSSEC nor MTA-STS says who takes the mail of ${domain}`, ttlMs);
  }
  const routed: Routed = { kind: 'routed', via: found.via, hosts: usable, ttlMs };
  return sts === undefined || mode === undefined ? routed : { ...routed, mtaSts: { mode, id: sts.id } };
}

function routeHost(
  host: ResolvedHost,
  port: number,
): Pick<RouteHost, 'name' | 'addresses' | 'port' | 'preference' | 'protocol' | 'group'> {
  const { exchange, addresses, preference } = host;
  return { name: exchange, addresses, port, preference, protocol: 'smtp', group: mailHostGroup(exchange) };
}

/** What may pass is temporary, though other hosts are known not to be there. */
function noHost(
  domain: string,
  { found, unusable, ttlMs }: { found: MailHosts; unusable: readonly UnusableHost[]; ttlMs: number },
): Unroutable {
  const because = (why: UnusableHost['why']): UnusableHost | undefined => unusable.find((host) => host.why === why);
  const trouble = because('trouble');
  if (trouble !== undefined) return temporary('4.4.3', trouble.detail, ttlMs);
  const family = because('family');
  if (family !== undefined) return temporary('4.4.4', family.detail, ttlMs);
  const refused = because('private');
  if (refused !== undefined) return permanent('5.4.4', refused.detail, ttlMs);
  if (found.via === 'address') return permanent('5.4.4', `${domain} has neither MX records nor an address`, ttlMs);
  return permanent('5.4.4', `none of the mail hosts of ${domain} has an address`, ttlMs);
}
