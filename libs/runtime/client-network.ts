import { isIPv4, isIPv6 } from 'node:net';

/**
 * What failures and connections of a client are counted by: an IPv4 address whole, of an IPv6 address its /64 (one customer has at least that
 * many). Text that is no address stays as it is.
 */
export function clientNetwork(address: string): string {
  const bare = plainAddress(address);
  if (isIPv4(bare) || !isIPv6(bare)) return bare;
  const groups = expandIPv6(bare);
  return `${groups.slice(0, 4).join(':')}::/64`;
}

/** IPv4-mapped IPv6 addresses as IPv4, and no zone. */
export function plainAddress(address: string): string {
  const withoutZone = address.split('%', 1)[0] ?? address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(withoutZone)?.[1];
  return mapped ?? withoutZone;
}

function expandIPv6(address: string): string[] {
  const [head = '', tail = ''] = address.split('::', 2);
  const before = head === '' ? [] : head.split(':');
  const after = tail === '' ? [] : tail.split(':');
  // An IPv4 tail takes two groups.
  const taken = before.length + after.length + (address.includes('.') ? 1 : 0);
  const middle = address.includes('::') ? Array.from({ length: Math.max(0, 8 - taken) }, () => '0') : [];
  return [...before, ...middle, ...after].map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''));
}
