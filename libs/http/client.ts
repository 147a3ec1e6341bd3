import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { TLSSocket } from 'node:tls';
import { plainAddress } from '../runtime/client-network.ts';
import { isLoopbackHost } from '../runtime/loopback.ts';
import { createNetworkList } from '../runtime/network-list.ts';

/** Where a request really comes from. */
export interface Client {
  address: string;
  /** Nobody on the way could read it: TLS, loopback, or a trusted proxy that says https. */
  private: boolean;
}

/**
 * Reads X-Forwarded-For and X-Forwarded-Proto, from trusted proxies only: the client is the last address that isn't a proxy of ours (what stands
 * before it, anybody could have written).
 */
export function createClientReader(trustedProxies: readonly string[]): (request: IncomingMessage) => Client {
  const isProxy = createNetworkList(trustedProxies);
  return (request) => {
    const peer = plainAddress(request.socket.remoteAddress ?? '');
    const forwardedFor = request.headers['x-forwarded-for'];
    const forwardedProto = request.headers['x-forwarded-proto'];
    const direct = request.socket instanceof TLSSocket || isLoopbackHost(peer);
    if ((forwardedFor === undefined && forwardedProto === undefined) || !isProxy(peer))
      return { address: peer, private: direct };
    const proto = lastOf(forwardedProto) ?? 'http';
    return { address: clientOf(forwardedFor, peer, isProxy), private: proto.toLowerCase() === 'https' };
  };
}

function clientOf(
  forwardedFor: string | string[] | undefined,
  peer: string,
  isProxy: (address: string) => boolean,
): string {
  let client = peer;
  for (const entry of listOf(forwardedFor).toReversed()) {
    const named = plainAddress(
      entry.replace(/^\[([^\]]*)\](?::\d+)?$/, '$1').replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1'),
    );
    // `unknown`, a name, or whatever a client made its proxy say: limits are counted by addresses only.
    if (isIP(named) === 0) break;
    client = named;
    if (!isProxy(client)) break;
  }
  return client;
}

function lastOf(header: string | string[] | undefined): string | undefined {
  return listOf(header).at(-1);
}

function listOf(header: string | string[] | undefined): string[] {
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  return text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}
