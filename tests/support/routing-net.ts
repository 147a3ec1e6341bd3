import assert from 'node:assert/strict';
import { after } from 'node:test';
import { Registry } from 'prom-client';
import { createDns } from '../../libs/dns/resolver.ts';
import type { RoutingConfig } from '../../libs/routing/config.ts';
import { addressOrder } from '../../libs/routing/ip-preference.ts';
import type { Routed, RouteResult } from '../../libs/routing/result.ts';
import { route, type RouteOptions } from '../../libs/routing/route.ts';
import { systemClock } from '../../libs/runtime/clock.ts';
import { type DnsServer, type DnsServerOptions, startDns } from './dns-server/server.ts';
import type { Zones } from './dns-server/zones.ts';

const closers: (() => unknown)[] = [];
after(async () => {
  for (const close of closers) await close();
});

export interface Net {
  server: DnsServer;
  to: (destination: string, more?: Partial<RouteOptions>, config?: Partial<RoutingConfig>) => Promise<RouteResult>;
}

/** A name server with these zones, and the routes that come of it; `mail.here.test` is this server. */
export async function net(zones: Zones, options: DnsServerOptions = {}): Promise<Net> {
  const server = await startDns(zones, options);
  const dns = createDns({
    servers: [server],
    trustAuthentic: false,
    clock: systemClock,
    metrics: new Registry(),
    limitMs: 400,
  });
  closers.push(
    () => dns.close(),
    () => server.close(),
  );
  const config: RoutingConfig = {
    routes: [],
    ownNames: ['mail.here.test'],
    ownAddresses: [],
    addressOrder: addressOrder('ipv4-first'),
    allowPrivateDestinations: false,
    allowAddressLiterals: false,
    mxPort: 25,
  };
  return {
    server,
    to: (destination, more = {}, changed = {}) =>
      route(destination, { dns, signal: new AbortController().signal, config: { ...config, ...changed }, ...more }),
  };
}

/** One A record each, of the internet. */
export const hosts = (...names: string[]): Zones =>
  Object.fromEntries(names.map((name, i) => [name, { A: [`11.0.0.${i + 1}`] }]));

export function routed(result: RouteResult): Routed {
  assert.ok(result.kind === 'routed', JSON.stringify(result));
  return result;
}

export const names = (result: RouteResult): string[] => routed(result).hosts.map(({ name }) => name);

/** `permanent 550 5.1.2` */
export function refusal(result: RouteResult): string {
  assert.ok(result.kind !== 'routed', JSON.stringify(result));
  return `${result.kind} ${result.reply.code} ${result.reply.status}`;
}
