import type { Registry } from 'prom-client';
import type { Config } from '../config/load.ts';
import type { Clock } from '../runtime/clock.ts';
import { createDns, type Resolver } from './resolver.ts';
import { readSystemServers } from './system-servers.ts';

/** The resolver that the configuration asks for: its name servers, or those of this machine. Close it at the end. */
export async function openDns(options: {
  config: Pick<Config, 'dnsServers' | 'dnsTrustAd'>;
  clock: Clock;
  metrics: Registry;
}): Promise<Resolver> {
  const { config, clock, metrics } = options;
  const given = config.dnsServers ?? [];
  const { servers, trustAuthentic } =
    given.length > 0 ? { servers: given, trustAuthentic: false } : await readSystemServers();
  return createDns({ servers, trustAuthentic: trustAuthentic || config.dnsTrustAd, clock, metrics });
}
