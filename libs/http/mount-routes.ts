import express from 'express';
import type { Request, RequestHandler, Response, Router } from 'express';
import type { Registry } from 'prom-client';
import type { z } from 'zod';
import type { Logger } from '../ops/logger.ts';
import type { HeldBytes, ByteHold } from '../runtime/held-bytes.ts';
import { countedAnswerBytes, needRoom } from './http-bytes.ts';
import { readJsonBody } from './json-body.ts';
import { problem } from './problem.ts';
import { replyWithError } from './problem-reply.ts';
import { httpRequestSeconds } from './request-metrics.ts';
import type { Caller, Reply, Route } from './route.ts';
import { invalidRequest } from './translate-error.ts';

/** Who a request comes from; throws the problem `unauthenticated`, `loginLimited`, … */
export type Authenticate = (request: Request, response: Response) => Caller | Promise<Caller>;

export interface MountOptions {
  authenticate: Authenticate;
  log: Logger;
  metrics: Registry;
  /** Of the process (createHttpBytes). */
  bytes: HeldBytes;
  /** Tests: every JSON answer is parsed with the schema that documents it, and one that doesn't fit is an error (500). */
  checkReplies?: boolean;
}

/** A router that serves `routes`: authenticates, validates, calls `handle`, writes the answer, measures. Errors become problem details. */
export function mountRoutes(routes: readonly Route[], options: MountOptions): Router {
  const router = express.Router({ caseSensitive: true });
  for (const [path, ofPath] of Map.groupBy(routes, (route) => route.path)) {
    const atPath = router.route(path);
    for (const route of ofPath) atPath[route.method](serve(route, options));
    atPath.all(noteAllowed(ofPath));
  }
  routesByRouter.set(router, routes);
  return router;
}

/** The routes that a router of `mountRoutes` serves; what the API's document is made from. */
export function routesOf(router: Router): readonly Route[] {
  return routesByRouter.get(router) ?? [];
}

const routesByRouter = new WeakMap<Router, readonly Route[]>();

/** The path is ours but not with this method. Another router may have it, so the server decides at the end (405). */
function noteAllowed(routes: readonly Route[]): RequestHandler {
  const methods = routes.map((route) => route.method.toUpperCase());
  if (methods.includes('GET')) methods.push('HEAD');
  return (_request, response, next) => {
    const noted: unknown = response.locals['allowed'];
    response.locals['allowed'] = [...(Array.isArray(noted) ? noted : []), ...methods];
    next();
  };
}

function serve(route: Route, options: MountOptions): RequestHandler {
  const seconds = httpRequestSeconds(options.metrics);
  const method = route.method.toUpperCase();
  return async (request, response) => {
    const startedMs = performance.now();
    const held = new RequestBytes(options.bytes, response);
    try {
      const reply = await answer(route, options, held, request, response);
      if (reply !== 'handled') write(response, route, reply, options, held);
    } catch (error) {
      // A client that has gone reads no answer, and its absence is no error of ours.
      if (request.destroyed && !response.writable) return;
      replyWithError(response, error, options.log, route.operationId);
    }
    seconds.observe({ method, route: route.path, status: response.statusCode }, (performance.now() - startedMs) / 1000);
  };
}

/** Enough for every JSON body but mail with attachments, whose route says so. */
const defaultMaxBodyBytes = 1024 * 1024;

async function answer(
  route: Route,
  options: MountOptions,
  held: RequestBytes,
  request: Request,
  response: Response,
): Promise<Reply | 'handled'> {
  if (route.method !== 'get') refuseForeignPages(request);
  const caller = route.access === 'public' ? undefined : await options.authenticate(request, response);
  if (caller !== undefined) checkRights(route, caller);
  const params = route.params === undefined ? undefined : check(route.params, 'path', request.params);
  const query = route.query === undefined ? undefined : check(route.query, 'query', request.query);
  const body = await readBody(route, held, caller?.accountId, request, response);
  return route.handle({
    params,
    query,
    body,
    caller,
    request,
    response,
    // Made when asked for: most handlers don't wait for anything that could be aborted.
    get signal() {
      return signalOf(response);
    },
  });
}

/**
 * A page of another site can make a browser send a request with the credentials that it keeps, if it is one without a body of ours; the browser says so
 * (Fetch Metadata §2.2). What is no browser doesn't send the header.
 */
function refuseForeignPages(request: Request): void {
  const site = request.headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    throw problem('forbidden', 'changes are not taken from pages of another site');
  }
}

function checkRights(route: Route, caller: Caller): void {
  if (route.access === 'admin' && !caller.admin) throw problem('forbidden', 'only for administrators');
  if (route.scope !== undefined && caller.scopes.length > 0 && !caller.scopes.includes(route.scope)) {
    throw problem('insufficientScope', `needs ${route.scope}`, { extra: { scope: route.scope } });
  }
}

function check(schema: z.ZodType, part: 'path' | 'query' | 'body', value: unknown): unknown {
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalidRequest(part, parsed.error);
  return parsed.data;
}

async function readBody(
  route: Route,
  held: RequestBytes,
  accountId: string | undefined,
  request: Request,
  response: Response,
): Promise<unknown> {
  held.accountId = accountId;
  if (route.body === undefined) return undefined;
  const limits = { limitBytes: route.maxBodyBytes ?? defaultMaxBodyBytes, hold: held.open() };
  return check(route.body, 'body', await readJsonBody(request, response, limits));
}

/** What a request holds of the process's bytes, given back when its answer is gone; made when there is something to hold. */
class RequestBytes {
  accountId: string | undefined;
  readonly #budget: HeldBytes;
  readonly #response: Response;
  #hold: ByteHold | undefined;

  constructor(budget: HeldBytes, response: Response) {
    this.#budget = budget;
    this.#response = response;
  }

  open(): ByteHold {
    if (this.#hold !== undefined) return this.#hold;
    const hold = this.#budget.hold(this.accountId ?? 'public');
    this.#hold = hold;
    if (this.#response.closed) throw new Error('the client has gone');
    this.#response.once('close', () => hold.release());
    return hold;
  }
}

function signalOf(response: Response): AbortSignal {
  const controller = new AbortController();
  if (response.closed) controller.abort();
  else response.once('close', () => response.writableFinished || controller.abort());
  return controller.signal;
}

function write(response: Response, route: Route, reply: Reply, options: MountOptions, held: RequestBytes): void {
  if (options.checkReplies === true) checkReply(route, reply);
  const content =
    reply.body === undefined || reply.body instanceof Uint8Array ? reply.body : JSON.stringify(reply.body);
  const sizeBytes = content === undefined ? 0 : Buffer.byteLength(content);
  if (sizeBytes > countedAnswerBytes && !response.closed) holdAnswer(held.open(), sizeBytes);
  response.statusCode = reply.status;
  for (const name in reply.headers) response.setHeader(name, reply.headers[name] ?? '');
  if (content === undefined) {
    response.end();
    return;
  }
  if (typeof content === 'string') response.setHeader('content-type', 'application/json; charset=utf-8');
  response.setHeader('content-length', sizeBytes);
  response.end(content);
}

/** The request's own body is done with; its answer is held until the client has taken it, which may be long. */
function holdAnswer(hold: ByteHold, sizeBytes: number): void {
  hold.release();
  needRoom(hold.grow(sizeBytes));
}

function checkReply(route: Route, reply: Reply): void {
  const spec = route.replies[reply.status];
  if (spec === undefined) throw new Error(`${route.operationId} answers ${reply.status}, which it doesn't document`);
  if (spec !== 'problem') spec.schema?.parse(JSON.parse(JSON.stringify(reply.body)));
}
