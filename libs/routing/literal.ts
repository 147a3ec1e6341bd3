import { isIPv6 } from 'node:net';
import { normaliseAddressLiteral } from '../mail/address/domain.ts';
import type { RoutingConfig } from './config.ts';
import { mailHostGroup } from './group.ts';
import { isPublicAddress } from './public-address.ts';
import { longMs } from './resolve-hosts.ts';
import { permanent, type RouteResult } from './result.ts';

/** `[192.0.2.1]` and `[IPv6:2001:db8::1]` (RFC 5321 §4.1.3), where they are allowed. */
export function routeToLiteral(
  destination: string,
  { config, requireTls = false }: { config: RoutingConfig; requireTls?: boolean },
): RouteResult {
  const literal = normaliseAddressLiteral(destination);
  if (literal === undefined) return permanent('5.1.2', 'the domain is no address literal', longMs);
  if (!config.allowAddressLiterals) return permanent('5.1.2', 'mail to address literals is not sent from here', longMs);
  if (requireTls) return permanent('5.7.30', 'REQUIRETLS: nothing says whom an address literal belongs to', longMs);
  const address = literal.slice(1, -1).replace(/^IPv6:/, '');
  if (!config.allowPrivateDestinations && !isPublicAddress(address))
    return permanent('5.1.2', `${literal} is not an address of the internet`, longMs);
  const host = {
    name: address,
    addresses: [{ family: isIPv6(address) ? ('ipv6' as const) : ('ipv4' as const), address }],
    port: config.mxPort,
    preference: 0,
    protocol: 'smtp' as const,
    group: mailHostGroup(address),
    secure: false,
    tls: { mode: 'opportunistic' as const, verify: { kind: 'none' as const } },
    tlsFrom: 'default' as const,
  };
  return { kind: 'routed', via: 'literal', hosts: [host], ttlMs: longMs };
}
