import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { plainAddress } from '../../libs/runtime/client-network.ts';
import { isLoopbackHost } from '../../libs/runtime/loopback.ts';
import { createNetworkList } from '../../libs/runtime/network-list.ts';

/** RFC 9110 §7.6.1: they are about one connection. `expect` is answered here. */
const ofOneConnection = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const forwarded = new Set(['forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host']);

/**
 * The headers that go to the service. Who is on this machine comes to it as before, from loopback; of others it is told the address, and that the way to here was not
 * TLS. What a client says of itself in X-Forwarded-* is believed of trusted proxies alone.
 */
export function requestHeaders(trustedProxies: readonly string[]): (request: IncomingMessage) => OutgoingHttpHeaders {
  const isTrusted = createNetworkList(trustedProxies);
  return (request) => {
    const peer = plainAddress(request.socket.remoteAddress ?? '');
    const fromProxy = isTrusted(peer);
    const headers = passedOn(request, (name) => fromProxy || !forwarded.has(name));
    const before = fromProxy ? request.headers['x-forwarded-for'] : undefined;
    if (before === undefined && isLoopbackHost(peer)) return headers;
    const proto = fromProxy ? request.headers['x-forwarded-proto'] : undefined;
    return {
      ...headers,
      'x-forwarded-for': [before ?? [], peer].flat().join(', '),
      'x-forwarded-proto': proto ?? 'http',
    };
  };
}

export function answerHeaders(answer: IncomingMessage): OutgoingHttpHeaders {
  return passedOn(answer, () => true);
}

function passedOn(message: IncomingMessage, isWanted: (name: string) => boolean): OutgoingHttpHeaders {
  const named = new Set((message.headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
  const passed = Object.entries(message.headersDistinct).filter(
    ([name]) => !ofOneConnection.has(name) && !named.has(name) && isWanted(name),
  );
  return Object.fromEntries(
    passed.map(([name, values]): [string, string | string[] | undefined] => [
      name,
      values?.length === 1 ? values[0] : values,
    ]),
  );
}
