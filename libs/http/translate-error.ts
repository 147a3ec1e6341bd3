import type { z } from 'zod';
import { BusTimeout, BusUnavailable } from '../bus/port.ts';
import {
  AlreadyExists,
  CannotCalculateChanges,
  NotFound,
  OutcomeUnknown,
  PreconditionFailed,
  Refused,
  StoreBusy,
  StoreFull,
  StoreUnavailable,
} from '../store/errors.ts';
import { Problem, problem } from './problem.ts';

/** What an error means over HTTP; undefined: an error of ours (500), which the caller logs. The one place of this translation. */
export function translateError(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  if (error instanceof NotFound) return problem('notFound', error.message);
  if (error instanceof AlreadyExists) return problem('alreadyExists', error.message);
  if (error instanceof Refused) return new Problem(409, error.rule, 'It can’t be done', error.message);
  if (error instanceof PreconditionFailed) return problem('preconditionFailed');
  if (error instanceof CannotCalculateChanges) return problem('cannotCalculateChanges');
  if (error instanceof StoreFull) return problem('storeFull');
  if (error instanceof StoreBusy) return problem('storeBusy', undefined, { headers: { 'retry-after': '1' } });
  if (error instanceof StoreUnavailable)
    return problem('storeUnavailable', undefined, { headers: { 'retry-after': '5' } });
  if (error instanceof OutcomeUnknown) return problem('outcomeUnknown', undefined, { headers: { 'retry-after': '5' } });
  if (error instanceof BusUnavailable || error instanceof BusTimeout) {
    return problem('busUnavailable', undefined, { headers: { 'retry-after': '2' } });
  }
  return translateParserError(error);
}

/** `errors: [{ path, message }]` of what doesn't fit its schema; `part` is where it stood. */
export function invalidRequest(part: 'path' | 'query' | 'body', error: z.ZodError): Problem {
  const errors = error.issues.slice(0, maxListedErrors).map((issue) => ({
    path: [part, ...issue.path.map(String)].join('.'),
    message: issue.message,
  }));
  return problem(
    'invalidRequest',
    errors
      .map(({ path, message }) => `${path}: ${message}`)
      .join('; ')
      .slice(0, 500),
    {
      extra: { errors },
    },
  );
}

const maxListedErrors = 20;

/** Errors of express and its body parser have a `status` and a `type` (its README lists them). */
function translateParserError(error: unknown): Problem | undefined {
  if (error instanceof URIError) return problem('malformedUrl');
  if (!(error instanceof Error) || !('type' in error)) return undefined;
  switch (error.type) {
    case 'entity.too.large':
      return problem('bodyTooLarge', 'limit' in error ? `at most ${String(error.limit)} bytes` : undefined);
    case 'entity.parse.failed':
    case 'request.size.invalid':
    case 'request.aborted':
      return problem('malformedJson');
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return problem('unsupportedMediaType');
    default:
      return undefined;
  }
}
