import type { Registry } from 'prom-client';
import type { Config } from '../../../libs/config/load.ts';
import { openDns } from '../../../libs/dns/open.ts';
import type { Dns } from '../../../libs/dns/port.ts';
import { type RoutingConfig, routingConfig } from '../../../libs/routing/config.ts';
import { createPolicyFetch } from '../../../libs/routing/mta-sts/fetch.ts';
import { createMtaStsPolicies } from '../../../libs/routing/mta-sts/policies.ts';
import { memoryMtaStsStore } from '../../../libs/routing/mta-sts/store.ts';
import { route } from '../../../libs/routing/route.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import type { FindRoute } from './routes.ts';

export type FindRouteConfig = Parameters<typeof routingConfig>[0] & Pick<Config, 'dnsServers' | 'dnsTrustAd'>;

export interface OpenFindRouteOptions {
  config: FindRouteConfig;
  clock: Clock;
  metrics: Registry;
  /** Of the process, who closes it; default: one of its own. */
  dns?: Dns;
  /** What tests set. */
  routing?: Partial<RoutingConfig>;
}

/** The way of destinations by the DNS of this process, with MTA-STS and DANE. */
export async function openFindRoute(options: OpenFindRouteOptions): Promise<{ find: FindRoute; close: () => void }> {
  const { config: given, clock, metrics } = options;
  const config = { ...routingConfig(given), ...options.routing };
  const { dns, close } = await dnsOf(options);
  const fetch = createPolicyFetch({ dns, allowPrivateDestinations: given.allowPrivateDestinations });
  const mtaSts = createMtaStsPolicies({ dns, fetch, store: memoryMtaStsStore({ metrics }), clock, metrics });
  return {
    find: ({ destination, sender }, signal) => route(destination, { config, dns, mtaSts, sender, signal }),
    close,
  };
}

async function dnsOf({ dns, config, clock, metrics }: OpenFindRouteOptions): Promise<{ dns: Dns; close: () => void }> {
  if (dns !== undefined) return { dns, close: () => {} };
  const own = await openDns({ config, clock, metrics });
  return { dns: own, close: () => own.close() };
}
