import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import express from 'express';
import type { ErrorRequestHandler, RequestHandler, Router } from 'express';
import type { Registry } from 'prom-client';
import type { ListenAddress } from '../config/forms.ts';
import type { Logger } from '../ops/logger.ts';
import { closeServer, listenOn } from '../runtime/listen.ts';
import { replyToBrokenRequest } from './broken-request.ts';
import { connectionLimits, limitConnections } from './connection-limit.ts';
import { documentRouter } from './document-router.ts';
import { problem } from './problem.ts';
import type { Problem } from './problem.ts';
import { replyWithError, replyWithProblem } from './problem-reply.ts';
import { httpRequestSeconds } from './request-metrics.ts';

export interface HttpServerOptions {
  listen: ListenAddress;
  /** Of the services, made by mountRoutes. */
  routers: readonly Router[];
  /** The API's document (OpenAPI 3.1, JSON); without it there is none. */
  document?: () => Promise<string>;
  log: Logger;
  metrics: Registry;
  /** Default: no proxies. */
  config?: { trustedProxies: readonly string[] };
}

export interface HttpServer {
  /** With the port that was really taken. */
  address: ListenAddress;
  /** Takes no new connection; requests under way have `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** The HTTP address of a process: the routers of its services, the API's document, and problem details for all that isn't there. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const app = createApp(options);
  const server = createServer(
    {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: 15_000,
      requestTimeout: 300_000,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 5000,
    },
    (request, response) => serve(app, request, response),
  );
  // RFC 9110 §10.1.1: a client that waits for leave to send its body gets it when it is known and its body is wanted (json-body.ts). If it
  // doesn't, nobody knows whether its next bytes are that body.
  server.on('checkContinue', (request, response) => serve(app, request, response.setHeader('connection', 'close')));
  // A socket on which nothing moves for so long is gone; event streams write more often.
  server.setTimeout(120_000);
  const { metrics, config } = options;
  limitConnections(server, { limits: connectionLimits, trustedProxies: config?.trustedProxies ?? [], metrics });
  server.on('clientError', replyToBrokenRequest);
  const address = await listenOn(server, options.listen, { backlog: 4096 });
  return { address, close: (graceMs) => drain(server, graceMs) };
}

const maxHeaderBytes = 16 * 1024;
const maxUrlLength = 8192;

function createApp(options: Pick<HttpServerOptions, 'routers' | 'document' | 'log' | 'metrics'>): express.Express {
  const app = express();
  app.disable('x-powered-by').disable('etag').enable('case sensitive routing').set('query parser', 'simple');
  for (const router of options.routers) app.use(router);
  const { document, log } = options;
  if (document !== undefined) app.use(documentRouter({ document, log }));
  app.use(notThere(options.metrics), failed(options.log));
  return app;
}

function serve(app: express.Express, request: IncomingMessage, response: ServerResponse): void {
  // Set here instead of by helmet, which costs a good part of a small request's time.
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('content-security-policy', "default-src 'none'; frame-ancestors 'none'; sandbox");
  response.setHeader('cross-origin-resource-policy', 'same-origin');
  response.setHeader('referrer-policy', 'no-referrer');
  response.setHeader('cache-control', 'no-store');
  app(request, response);
}

/** 405 when a router has noted the path for other methods, else 404. */
function notThere(metrics: Registry): RequestHandler {
  const seconds = httpRequestSeconds(metrics);
  return (request, response) => {
    const noted: unknown = response.locals['allowed'];
    const allowed = Array.isArray(noted) ? [...new Set(noted)].join(', ') : undefined;
    if (allowed !== undefined && request.method === 'OPTIONS') {
      response.writeHead(204, { allow: allowed }).end();
    } else {
      replyWithProblem(response, absence(request, allowed));
    }
    seconds.observe({ method: knownMethod(request.method), route: 'none', status: response.statusCode }, 0);
  };
}

function absence(request: IncomingMessage, allowed: string | undefined): Problem {
  if ((request.url ?? '').length > maxUrlLength) return problem('uriTooLong');
  return allowed === undefined
    ? problem('notFound')
    : problem('methodNotAllowed', `allowed: ${allowed}`, { headers: { allow: allowed } });
}

/** Clients can send any word as method; a label has few values. */
function knownMethod(method: string): string {
  return ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].includes(method) ? method : 'other';
}

/** What express itself refuses, such as an encoding in the path that can't be decoded. */
function failed(log: Logger): ErrorRequestHandler {
  return (error: unknown, _request, response, _next) => {
    replyWithError(response, error, log, 'routing');
  };
}

/** Kept connections would hold the close up: each is told to go with its next answer. */
function drain(server: Server, graceMs: number): Promise<void> {
  server.prependListener('request', (_request, response) => response.setHeader('connection', 'close'));
  return closeServer(server, graceMs);
}
