import type { Request, Response } from 'express';
import type { z } from 'zod';

/** Who calls. `scopes` is empty for a password (all that the account may do), else what the token is limited to. */
export interface Caller {
  accountId: string;
  /** Typed form of the account's own address. */
  address: string;
  admin: boolean;
  scopes: readonly string[];
  /** With these a Verifier says whether the credentials are still good, for what lasts longer than a request. */
  credentialVersion: number;
  expiresAt?: number | undefined;
}

export const scopes = [
  'mail:read',
  'mail:write',
  'mail:send',
  'directory:read',
  'directory:write',
  'queue:read',
  'queue:write',
] as const;
export type Scope = (typeof scopes)[number];

/** `public`: anybody; `account`: every authenticated caller; `admin`: administrators. */
export type Access = 'public' | 'account' | 'admin';

/** A JSON value, or bytes with their `content-type` in `headers`; without `body` the answer is empty. */
export interface Reply {
  status: number;
  body?: unknown;
  headers?: Readonly<Record<string, string>>;
}

export type ReplySpec = { description: string; schema?: z.ZodType; contentType?: string } | 'problem';

export interface RouteInput<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, A extends Access> {
  params: z.output<P>;
  query: z.output<Q>;
  body: z.output<B>;
  caller: A extends 'public' ? undefined : Caller;
  request: Request;
  response: Response;
  /** Aborts when the client has gone before the answer was written. */
  signal: AbortSignal;
}

/** One operation of the API as data: what is validated, what is documented and what is done come from the same place. */
export interface Route<
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
  A extends Access = Access,
> {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** An Express 5 path with `:name` parameters and nothing else special. */
  path: string;
  operationId: string;
  summary: string;
  description?: string;
  tags: readonly string[];
  access: A;
  /** What a token needs; a password needs none. */
  scope?: Scope;
  params?: P;
  query?: Q;
  /** application/json (or …+json). */
  body?: B;
  /** Default 1 MiB; past it 413. */
  maxBodyBytes?: number;
  /** By status; 'problem' for an RFC 9457 answer. */
  replies: Readonly<Record<number, ReplySpec>>;
  /** `handled`: the handler has written the answer itself (streams, server-sent events). */
  handle(input: RouteInput<P, Q, B, A>): Promise<Reply | 'handled'>;
}

/** Checks nothing and changes nothing: it gives `handle` its types. */
export function defineRoute<
  A extends Access,
  P extends z.ZodType = z.ZodUndefined,
  Q extends z.ZodType = z.ZodUndefined,
  B extends z.ZodType = z.ZodUndefined,
>(route: Route<P, Q, B, A>): Route {
  return route;
}
