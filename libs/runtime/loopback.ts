import { isIPv4 } from 'node:net';
import { plainAddress } from './client-network.ts';

/** `localhost`, 127.0.0.0/8, ::1, and their IPv4-mapped forms. */
export function isLoopbackHost(host: string): boolean {
  const bare = plainAddress(host);
  if (isIPv4(bare)) return bare.startsWith('127.');
  return bare === '::1' || bare.toLowerCase() === 'localhost';
}
