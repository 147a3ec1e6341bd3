import { networkInterfaces } from 'node:os';
import type { Address, AddressFamily } from '../dns/port.ts';
import { isPublicAddress } from './public-address.ts';

export type IpPreference = 'auto' | 'ipv4-first' | 'ipv6-first' | 'ipv4-only' | 'ipv6-only';

/** Which families are asked for and in which order they are tried. */
export interface AddressOrder {
  families: readonly AddressFamily[];
  /** One of each in turn, so that a family that doesn't work costs one address, not all of them. */
  inTurn: boolean;
}

/**
 * `auto`: where this machine has an IPv6 address of the internet both in turn, IPv6 first; else IPv6 last, so that a host that has nothing else is
 * deferred as unreachable, not bounced.
 */
export function addressOrder(preference: IpPreference, hasIpv6 = machineHasIpv6): AddressOrder {
  switch (preference) {
    case 'ipv4-only':
      return { families: ['ipv4'], inTurn: false };
    case 'ipv6-only':
      return { families: ['ipv6'], inTurn: false };
    case 'ipv4-first':
      return { families: ['ipv4', 'ipv6'], inTurn: false };
    case 'ipv6-first':
      return { families: ['ipv6', 'ipv4'], inTurn: false };
    case 'auto':
      return hasIpv6() ? { families: ['ipv6', 'ipv4'], inTurn: true } : { families: ['ipv4', 'ipv6'], inTurn: false };
  }
}

/** `addresses` as they are tried; those of one family keep their order. */
export function inOrder(addresses: readonly Address[], { families, inTurn }: AddressOrder): Address[] {
  const byFamily = families.map((family) => addresses.filter((address) => address.family === family));
  if (!inTurn) return byFamily.flat();
  const longest = Math.max(...byFamily.map((list) => list.length));
  return Array.from({ length: longest }, (_, i) => byFamily.flatMap((list) => list.slice(i, i + 1))).flat();
}

function machineHasIpv6(): boolean {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.some(({ family, address }) => family === 'IPv6' && isPublicAddress(address));
}
