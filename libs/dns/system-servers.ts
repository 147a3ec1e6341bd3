import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { DnsServerAddress } from './exchange.ts';

export interface SystemServers {
  servers: readonly DnsServerAddress[];
  /** `options trust-ad`: whoever runs this machine trusts the AD flag of these servers. */
  trustAuthentic: boolean;
}

/** The name servers of resolv.conf(5). Without the file, or without a name server in it, the one on this machine. */
export async function readSystemServers(path = '/etc/resolv.conf'): Promise<SystemServers> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  });
  return parseResolvConf(text);
}

export function parseResolvConf(text: string): SystemServers {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  const servers = lines
    .filter(([keyword, host = '']) => keyword === 'nameserver' && isIP(host) !== 0)
    .map(([, host = '']) => ({ host, port: 53 }))
    .slice(0, maxServers);
  const trustAuthentic = lines.some(([keyword, ...options]) => keyword === 'options' && options.includes('trust-ad'));
  return servers.length > 0
    ? { servers, trustAuthentic }
    : { servers: [{ host: '127.0.0.1', port: 53 }], trustAuthentic };
}

const maxServers = 8;
