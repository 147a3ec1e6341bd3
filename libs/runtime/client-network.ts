import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * What failures and connections of a client are counted by: an IPv4 address whole, of an IPv6 address its /64 (one customer has at least that
 * many). Text that is no address stays as it is.
 */
export function clientNetwork(address: string): string {
  const bare = plainAddress(address);
  if (!isIPv6(bare)) return bare;
  const groups = ipaddr.IPv6.parse(bare).parts.slice(0, 4);
  return `${groups.map((group) => group.toString(16)).join(':')}::/64`;
}

/**
 * One spelling for each address (RFC 5952), so that the same client is counted, and found in lists, as one: IPv4-mapped IPv6 addresses, however they
 * are written, as IPv4; no zone. Text that is no address stays as it is.
 */
export function plainAddress(address: string): string {
  const bare = address.split('%', 1)[0] ?? address;
  if (isIPv4(bare) || !isIPv6(bare)) return bare;
  // How a socket of both families names IPv4 clients: worth a shorter way.
  const mapped = bare.startsWith('::ffff:') ? bare.slice('::ffff:'.length) : '';
  if (isIPv4(mapped)) return mapped;
  const parsed = ipaddr.IPv6.parse(bare);
  return (parsed.isIPv4MappedAddress() ? parsed.toIPv4Address() : parsed).toString();
}
