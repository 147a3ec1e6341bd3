import ipaddr from 'ipaddr.js';
import { isIP } from 'node:net';
import { plainAddress } from '../runtime/client-network.ts';

/**
 * Whether an address is one of the internet at large: not loopback, private, link-local (where clouds keep their metadata), shared (RFC 6598), multicast,
 * unspecified or kept for documentation, also when it is written as an IPv6 address that stands for an IPv4 one. Text that is no address is none.
 */
export function isPublicAddress(address: string): boolean {
  const plain = plainAddress(address);
  // ipaddr.js alone would take `1.2.3` and `0x7f.1` too.
  if (isIP(plain) === 0) return false;
  const parsed = ipaddr.parse(plain);
  if (parsed instanceof ipaddr.IPv4) return isPublicIpv4(parsed);
  // RFC 6052 §2.1: what DNS64 makes of IPv4 addresses where there is only IPv6.
  if (parsed.match(nat64, 96)) return isPublicIpv4(ipaddr.IPv4.parse(parsed.toByteArray().slice(12).join('.')));
  return parsed.match(globalUnicast, 3) && parsed.range() === 'unicast';
}

const globalUnicast = ipaddr.IPv6.parse('2000::');
const nat64 = ipaddr.IPv6.parse('64:ff9b::');

/** Azure answers there with what belongs to the machine. */
const platformAddress = '168.63.129.16';

function isPublicIpv4(address: ipaddr.IPv4): boolean {
  return address.range() === 'unicast' && address.toString() !== platformAddress;
}
