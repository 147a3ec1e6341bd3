import { Agent, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse, createServer } from 'node:http';
import { request as startRequest } from 'node:http';
import { pipeline } from 'node:stream';
import type { ListenAddress } from '../../libs/config/forms.ts';
import { replyToBrokenRequest } from '../../libs/http/broken-request.ts';
import { problem, problemBody } from '../../libs/http/problem.ts';
import { closeServer, listenOn } from '../../libs/runtime/listen.ts';
import type { ServiceName } from '../../services/service-names.ts';
import { answerHeaders, requestHeaders } from './proxy-headers.ts';

export interface ProxyOptions {
  listen: ListenAddress;
  /** HTTP addresses of the copies that are ready now. */
  copiesOf: (service: ServiceName) => readonly ListenAddress[];
  /** Proxies before this one, whose X-Forwarded-* is passed on. */
  trustedProxies: readonly string[];
}

export interface Proxy {
  /** With the port that was really taken. */
  address: ListenAddress;
  /** Takes no new connection; requests under way have `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/**
 * What a gateway does in a real cluster, for one machine: sends each request to a copy of the service that its path belongs to, in turn. Bodies and event streams
 * pass through as they come; who goes away on one side is told to the other. When no copy can be reached: 503 with Retry-After.
 */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const headersOf = requestHeaders(options.trustedProxies);
  // For requests without a body, which can be sent again when a kept connection turns out to be closed.
  const kept = new Agent({ keepAlive: true, maxFreeSockets: 64 });
  let turn = 0;
  const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
    const services = servicesOf(request.url ?? '/');
    const copies = services.flatMap((service) => options.copiesOf(service));
    turn = (turn + 1) % Number.MAX_SAFE_INTEGER;
    const from = copies.length === 0 ? 0 : turn % copies.length;
    const inTurn = [...copies.slice(from), ...copies.slice(0, from)];
    void forward({ request, response, headers: headersOf(request), services, kept }, inTurn);
  });
  server.on('clientError', replyToBrokenRequest);
  const address = await listenOn(server, options.listen, { backlog: 4096 });
  return {
    address,
    close: async (graceMs) => {
      await closeServer(server, graceMs);
      kept.destroy();
    },
  };
}

/** By prefix (docs/cluster.md). What belongs to nobody is the same everywhere: the API's document and its page, and 404. */
const prefixes: readonly [prefix: string, service: ServiceName][] = [
  ['/api/v1/accounts', 'mailbox'],
  ['/api/v1/domains', 'auth'],
  ['/api/v1/aliases', 'auth'],
  ['/api/v1/tokens', 'auth'],
  ['/api/v1/queue', 'queue'],
];

function servicesOf(url: string): readonly ServiceName[] {
  // RFC 9112 §3.2.2: clients may give the whole address.
  const path = url.replace(/^https?:\/\/[^/?]*/i, '').split('?', 1)[0] ?? '';
  const found = prefixes.find(([prefix]) => path === prefix || path.startsWith(`${prefix}/`));
  return found === undefined ? ['mailbox', 'auth', 'queue'] : [found[1]];
}

interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  headers: OutgoingHttpHeaders;
  services: readonly ServiceName[];
  kept: Agent;
}

async function forward(exchange: Exchange, copies: readonly ListenAddress[]): Promise<void> {
  for (const copy of copies) if (await forwardTo(exchange, copy)) return;
  const { services } = exchange;
  replyAway(exchange, services.length === 1 ? `${services[0] ?? ''} is away` : 'no service is there');
}

/** False when nothing of the request has reached the copy: another may be tried. */
function forwardTo(exchange: Exchange, { host, port }: ListenAddress): Promise<boolean> {
  const { request, response, headers, kept } = exchange;
  const hasBody = request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length']) > 0;
  return new Promise((resolve) => {
    const { method, url: path } = request;
    // A body goes only when it is wanted: a service that refuses it closes, and its answer would be lost among what is still being sent.
    const upstream = startRequest({
      host,
      port,
      method,
      path,
      headers: hasBody ? { ...headers, expect: '100-continue' } : headers,
      agent: hasBody ? false : kept,
    });
    upstream.once('continue', () => request.pipe(upstream));
    const clientGone = (): void => void upstream.destroy();
    response.once('close', clientGone);
    let connected = false;
    upstream.once('socket', (socket) => {
      const send = (): void => {
        connected = true;
        if (hasBody) upstream.flushHeaders();
        else upstream.end();
      };
      if (socket.connecting) socket.once('connect', send);
      else send();
    });
    // Event streams write more often: on such a connection nothing comes any more.
    upstream.setTimeout(silenceLimitMs, () => upstream.destroy(new Error('it says nothing')));
    upstream.once('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage, answerHeaders(answer));
      response.flushHeaders();
      // An answer that is cut is cut for the client too: only so it sees that something is missing.
      pipeline(answer, response, () => {
        response.off('close', clientGone);
        resolve(true);
      });
    });
    upstream.on('error', () => {
      response.off('close', clientGone);
      request.unpipe(upstream);
      const unread = !connected || (!hasBody && upstream.reusedSocket);
      if (unread && !response.headersSent && !response.destroyed) {
        resolve(false);
        return;
      }
      if (!response.headersSent && !response.destroyed) {
        replyAway(
          exchange,
          'the service went away before it answered: it is not known whether it has done what was asked',
        );
      }
      resolve(true);
    });
  });
}

const silenceLimitMs = 120_000;

function replyAway({ request, response }: Exchange, detail: string): void {
  if (response.destroyed) return;
  const body = JSON.stringify(problemBody(problem('busUnavailable', detail)));
  // What the client still sends of its body isn't read by anybody.
  const close = request.complete ? {} : { connection: 'close' };
  response.writeHead(503, {
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(body),
    'retry-after': '1',
    ...close,
  });
  response.end(body);
}
