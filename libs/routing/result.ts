import type { Address } from '../dns/port.ts';
import type { TlsPolicy } from '../smtp/client/tls.ts';

/** Where mail for a destination goes, or why it can't. */
export type RouteResult = Routed | Unroutable;

export interface Routed {
  kind: 'routed';
  /** In the order in which they are tried; at least one, each with at least one address. */
  hosts: readonly RouteHost[];
  /** How long this may be used, ms. Best is to ask for each batch: the answers behind it are cached, and equal hosts take turns. */
  ttlMs: number;
  via: 'mx' | 'address' | 'literal' | 'route';
  /** Of the operator's route: what {@link loginOfRoute} takes. The login itself is in no result, for results travel. */
  route?: string;
  /** The MTA-STS policy in force, for traces and reports. */
  mtaSts?: { mode: 'enforce' | 'testing'; id: string };
}

export interface RouteHost {
  /** A-labels, lower case; an IP address where that is all there is. */
  name: string;
  addresses: readonly Address[];
  port: number;
  preference: number;
  protocol: 'smtp' | 'lmtp';
  /** What limits count by: the registrable domain of the host, `host:port` of a route, the /24 or /48 of an address. */
  group: string;
  /** MX and address answers were validated with DNSSEC. */
  secure: boolean;
  /** For `SmtpConnectOptions.tls`. TLSA data are Buffers: mind them in JSON. */
  tls: TlsPolicy;
  /** Where `tls` comes from. */
  tlsFrom: 'default' | 'route' | 'dane' | 'mta-sts' | 'requiretls';
}

export interface Unroutable {
  /** `temporary`: the DNS doesn't answer, or what it says may be mended soon; `permanent`: bounce. */
  kind: 'temporary' | 'permanent';
  /** As an SMTP server would say it. */
  reply: { code: number; status: string; text: string };
  /** How long there is no use in asking again, ms. */
  ttlMs: number;
}

export const temporary = (status: string, text: string, ttlMs: number): Unroutable => ({
  kind: 'temporary',
  reply: { code: 451, status, text },
  ttlMs,
});

export const permanent = (status: string, text: string, ttlMs: number, code = 550): Unroutable => ({
  kind: 'permanent',
  reply: { code, status, text },
  ttlMs,
});
