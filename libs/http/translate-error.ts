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
  // What express throws for a path that can't be decoded.
  return error instanceof URIError ? problem('malformedUrl') : undefined;
}

/** `errors: [{ path, message }]` of what doesn't fit its schema; `part` is where it stood. */
export function invalidRequest(part: 'path' | 'query' | 'body', error: z.ZodError): Problem {
  const errors = error.issues.slice(0, maxListedErrors).map((issue) => ({
    path: [part, ...issue.path.map(String)].join('.').slice(0, maxShownCharacters),
    // A message may repeat what was sent: a body of unknown keys would come back whole.
    message: issue.message.slice(0, maxShownCharacters),
  }));
  return problem(
    'invalidRequest',
    errors
      .map(({ path, message }) => `${path}: ${message}`)
      .join('; ')
      .slice(0, maxShownCharacters),
    {
      extra: { errors },
    },
  );
}

const maxListedErrors = 20;
const maxShownCharacters = 500;
