import { BlockList, isIP } from 'node:net';
import { plainAddress } from './client-network.ts';

/** Whether an address is in one of the CIDR networks (of configuration: already checked). Text that is no address is in none. */
export function createNetworkList(cidrs: readonly string[]): (address: string) => boolean {
  if (cidrs.length === 0) return () => false;
  const list = new BlockList();
  for (const cidr of cidrs) {
    const [network = '', prefix = ''] = cidr.split('/');
    list.addSubnet(network, Number(prefix), isIP(network) === 6 ? 'ipv6' : 'ipv4');
  }
  return (address) => {
    const bare = plainAddress(address);
    const version = isIP(bare);
    return version !== 0 && list.check(bare, version === 6 ? 'ipv6' : 'ipv4');
  };
}
