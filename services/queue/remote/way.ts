import type { Way } from '../../../libs/bus/requests.ts';
import { type LimitRule, limitsFor } from '../../../libs/delivery/limits/limits.ts';
import type { Routed, RouteHost } from '../../../libs/routing/result.ts';

/** What a batch for outside brings. Hosts of equal preference take turns (RFC 5321 §5.1), also while one answer of the DNS serves for many batches. */
export function wayOf(
  destination: string,
  routed: Routed,
  { rules, random }: { rules: readonly LimitRule[]; random: () => number },
): Way {
  const [first] = routed.hosts;
  return {
    destination,
    protocol: first?.protocol ?? 'smtp',
    ...(routed.route !== undefined && { route: routed.route }),
    hosts: inPreference(routed.hosts, random).map((host) => ({
      name: host.name,
      port: host.port,
      addresses: host.addresses.map(({ address }) => address),
      group: host.group,
      limits: limitsFor(host.group, rules),
      tls: tlsOf(host),
    })),
  };
}

function inPreference(hosts: readonly RouteHost[], random: () => number): RouteHost[] {
  return hosts
    .map((host) => ({ host, lot: random() }))
    .toSorted((a, b) => a.host.preference - b.host.preference || a.lot - b.lot)
    .map(({ host }) => host);
}

function tlsOf({ tls: { mode, verify } }: RouteHost): Way['hosts'][number]['tls'] {
  if (verify.kind === 'none') return { mode, verify };
  if (verify.kind === 'name') return { mode, verify: { kind: 'name', names: [...verify.names] } };
  const records = verify.records.map(({ data, ...record }) => ({ ...record, data: data.toString('base64') }));
  return { mode, verify: { kind: 'dane', names: [...verify.names], records } };
}
