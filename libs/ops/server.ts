import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Registry } from 'prom-client';
import type { ListenAddress } from '../config/forms.ts';
import { closeServer, listenOn } from '../runtime/listen.ts';
import type { Readiness } from '../runtime/service.ts';
import type { Logger } from './logger.ts';

export interface OpsServer {
  /** Where it listens, with the port that was really taken. */
  address: ListenAddress;
  close(): Promise<void>;
}

export interface OpsOptions {
  listen: ListenAddress;
  metrics: Registry;
  log: Logger;
  /** Of each service of the process. */
  readiness(): Readonly<Record<string, Readiness>>;
}

/**
 * `/metrics` for Prometheus; `/livez`: 200 while the event loop turns; `/readyz`: 200 when every service can do its work, else 503, with
 * `{ ready, degraded, services }`. No credentials: it belongs on an address that only the cluster reaches.
 */
export async function startOpsServer(options: OpsOptions): Promise<OpsServer> {
  const server: Server = createServer(
    { maxHeaderSize: 8192, headersTimeout: 10_000, requestTimeout: 10_000 },
    (request, response) => {
      answer(request, response, options).catch((error: unknown) => {
        options.log.error({ err: error, url: request.url }, 'an ops request failed');
        response.destroy();
      });
    },
  );
  server.maxConnections = 100;
  const address = await listenOn(server, options.listen);
  return { address, close: () => closeServer(server, 0) };
}

async function answer(request: IncomingMessage, response: ServerResponse, options: OpsOptions): Promise<void> {
  const path = (request.url ?? '').split('?', 1)[0];
  if (request.method !== 'GET' && request.method !== 'HEAD') return reply(response, 405, 'text/plain', 'GET only\n');
  if (path === '/metrics') return reply(response, 200, options.metrics.contentType, await options.metrics.metrics());
  if (path === '/livez') return reply(response, 200, 'application/json', '{"alive":true}\n');
  if (path !== '/readyz') return reply(response, 404, 'text/plain', '/metrics /livez /readyz\n');
  const body = overall(options.readiness());
  reply(response, body.ready ? 200 : 503, 'application/json', `${JSON.stringify(body)}\n`);
}

/** The worst of all services. */
function overall(services: Readonly<Record<string, Readiness>>): Readiness & { services: typeof services } {
  const all = Object.values(services);
  return {
    ready: all.length > 0 && all.every((service) => service.ready),
    degraded: [...new Set(all.flatMap((service) => service.degraded))],
    services,
  };
}

function reply(response: ServerResponse, status: number, contentType: string, body: string): void {
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  });
  response.end(body);
}
