import type { Route } from '../config/forms.ts';
import type { Dns } from '../dns/port.ts';
import { normaliseDomain } from '../mail/address/domain.ts';
import type { RoutingConfig } from './config.ts';
import { routeGroup } from './group.ts';
import { routeToLiteral } from './literal.ts';
import type { MtaStsPolicies } from './mta-sts/policies.ts';
import { matchRoute, routeName, routeTlsPolicy } from './operator-route.ts';
import { fixedAddresses, longMs, resolveHost } from './resolve-hosts.ts';
import { permanent, type RouteResult, temporary } from './result.ts';
import { routeByMx } from './route-by-mx.ts';

export interface RouteOptions {
  config: RoutingConfig;
  dns: Dns;
  /** Without it MTA-STS is not looked at. */
  mtaSts?: MtaStsPolicies;
  /** Reverse-path, for routes of senders; '' is the null sender. */
  sender?: string;
  /** The message asks for REQUIRETLS (RFC 8689). */
  requireTls?: boolean;
  /** 0 ≤ n < 1, for the order of equal hosts; default Math.random. */
  random?: () => number;
  /** Gives up; `route` rejects with its reason. Each look-up has a limit of its own. */
  signal: AbortSignal;
}

/**
 * Where mail for a destination (a domain, or an address literal) goes: the operator's route, or the mail hosts that the DNS names, with addresses, group and
 * TLS policy of each. Trouble is a result; it rejects only with the signal's reason or when the store of MTA-STS policies fails.
 */
export async function route(destination: string, options: RouteOptions): Promise<RouteResult> {
  const { config, sender } = options;
  const found = matchRoute(config.routes, { destination, sender });
  if (found !== undefined) return byOperator(found, options);
  if (destination.startsWith('[')) return routeToLiteral(destination, options);
  const domain = normaliseDomain(destination);
  if (domain === undefined) return permanent('5.1.2', 'the domain is no domain name', longMs);
  return routeByMx(domain, options);
}

/** The host is the operator's word: it may be private, and what is wrong with it bounces no mail. */
async function byOperator(found: Route, options: RouteOptions): Promise<RouteResult> {
  const { config, dns, signal } = options;
  const { host, port } = found;
  const fixed = fixedAddresses(host, config.addressOrder);
  const record = { exchange: host.toLowerCase(), preference: 0 };
  const resolved =
    fixed === undefined
      ? await resolveHost(record, { dns, order: config.addressOrder, allowPrivate: true, signal })
      : { addresses: fixed, ttlMs: longMs, secure: false };
  if ('why' in resolved)
    return temporary('4.4.4', `the route of ${routeName(found)}: ${resolved.detail}`, resolved.ttlMs);
  const tls = routeTlsPolicy(found);
  if (options.requireTls === true && tls.verify.kind === 'none')
    return permanent('5.7.10', `REQUIRETLS: the route of ${routeName(found)} does not check whom it sends to`, longMs);
  const { addresses, ttlMs, secure } = resolved;
  return {
    kind: 'routed',
    via: 'route',
    route: routeName(found),
    ttlMs,
    hosts: [
      {
        name: host,
        addresses,
        port,
        preference: 0,
        protocol: found.scheme === 'lmtp' ? 'lmtp' : 'smtp',
        group: routeGroup(host, port),
        secure,
        tls,
        tlsFrom: 'route',
      },
    ],
  };
}
