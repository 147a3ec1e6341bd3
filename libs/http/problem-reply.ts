import { newId } from '../runtime/ids.ts';
import type { Response } from 'express';
import type { Logger } from '../ops/logger.ts';
import { problem, problemBody } from './problem.ts';
import type { Problem } from './problem.ts';
import { translateError } from './translate-error.ts';

/** Writes what an error means; one that has no meaning is logged and answered 500 with the `requestId` of the log line. */
export function replyWithError(response: Response, error: unknown, log: Logger, operationId: string): Problem {
  const translated = translateError(error) ?? unexpected(error, log, operationId);
  replyWithProblem(response, translated);
  return translated;
}

export function replyWithProblem(response: Response, from: Problem): void {
  if (response.headersSent) {
    // Half of another answer has gone out: only cutting the connection tells the client that it isn't whole.
    response.destroy();
    return;
  }
  for (const [name, value] of Object.entries(from.headers)) response.setHeader(name, value);
  const text = JSON.stringify(problemBody(from));
  response.statusCode = from.status;
  response.setHeader('content-type', 'application/problem+json');
  response.setHeader('content-length', Buffer.byteLength(text));
  response.end(text);
}

function unexpected(error: unknown, log: Logger, operationId: string): Problem {
  const requestId = newId();
  log.error({ err: error, requestId, operationId }, 'a request failed');
  return problem('internal', undefined, { extra: { requestId } });
}
