import ipaddr from 'ipaddr.js';
import { isIP } from 'node:net';
import { getDomain } from 'tldts';
import { plainAddress } from '../runtime/client-network.ts';

/**
 * The group that a mail host's limits are counted by: its registrable domain, so that all domains of one provider count together; of an address the /24 or
 * /48. A name without a registrable domain is its own group.
 */
export function mailHostGroup(host: string): string {
  if (isIP(host) !== 0) return networkOf(host);
  return getDomain(host, { allowPrivateDomains: false }) ?? host;
}

/** Of an operator's route: it is one server, whatever its name. */
export function routeGroup(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function networkOf(address: string): string {
  const plain = plainAddress(address);
  const parsed = ipaddr.parse(plain);
  if (parsed instanceof ipaddr.IPv4) return `${parsed.octets.slice(0, 3).join('.')}.0/24`;
  return `${parsed.parts
    .slice(0, 3)
    .map((part) => part.toString(16))
    .join(':')}::/48`;
}
