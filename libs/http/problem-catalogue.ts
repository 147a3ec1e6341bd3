/** Every problem that Waypost answers with over HTTP: its status, its title, what it means and what to do. Codes are never renamed. */
export const problemCatalogue = {
  malformedUrl: entry(
    400,
    'The URL is malformed',
    'The path or its percent-encoding can’t be read.',
    'Send a plain, encoded path.',
  ),
  malformedRequest: entry(400, 'This is not HTTP', 'The request line or a header can’t be read.', 'Send HTTP/1.1.'),
  malformedJson: entry(400, 'The body is not JSON', 'The body could not be parsed.', 'Send one JSON value in UTF-8.'),
  invalidRequest: entry(
    400,
    'The request has the wrong form',
    'A path, query or body value doesn’t fit its schema; `errors` lists each with its path.',
    'Correct the named values; /api/openapi.json has the schemas.',
  ),
  invalidCursor: entry(
    400,
    'The cursor is not one of ours',
    'A cursor was made up, cut or is of another list.',
    'Begin without a cursor.',
  ),
  unauthenticated: entry(
    401,
    'Authentication is needed',
    'There were no credentials, or they are wrong: an unknown user, a wrong password and a disabled account look the same.',
    'Send HTTP Basic with an address and its password, or Bearer with a token.',
  ),
  forbidden: entry(403, 'Not allowed', 'The caller’s rights don’t reach this.', 'Ask an administrator.'),
  insufficientScope: entry(
    403,
    'The token lacks a scope',
    '`scope` names what is needed.',
    'Make a token with that scope.',
  ),
  plaintextLogin: entry(
    403,
    'No logins without TLS',
    'Credentials came over a connection that is neither TLS nor loopback, so they may have been read on the way.',
    'Use HTTPS, or a proxy in WAYPOST_TRUSTED_PROXIES that says X-Forwarded-Proto: https, or set WAYPOST_ALLOW_PLAINTEXT_LOGIN=true.',
  ),
  notFound: entry(404, 'Not found', 'There is nothing here, or it isn’t the caller’s.', 'Check the path and the id.'),
  methodNotAllowed: entry(
    405,
    'Not with this method',
    'The path is there, the method isn’t; `Allow` lists those that are.',
    'Use one of them.',
  ),
  requestTimeout: entry(
    408,
    'The request took too long',
    'Headers have 15 s, a whole request 5 minutes.',
    'Send it faster.',
  ),
  alreadyExists: entry(
    409,
    'It exists already',
    'Something of that name or key is there.',
    'Choose another, or change what is there.',
  ),
  conflict: entry(
    409,
    'It is in the way of something else',
    'The state of the thing forbids it.',
    'Read it again, then decide.',
  ),
  cannotCalculateChanges: entry(
    410,
    'The state is too old',
    'Changes are kept for 30 days, and a restore begins anew.',
    'Read everything again, and go on from the new state.',
  ),
  preconditionFailed: entry(
    412,
    'It has changed meanwhile',
    'If-Match names another version.',
    'Read it again and repeat with its ETag.',
  ),
  bodyTooLarge: entry(413, 'The body is too large', 'The path takes a limited number of bytes.', 'Send less.'),
  uriTooLong: entry(414, 'The URL is too long', 'Path and query have a limit.', 'Send fewer or shorter values.'),
  unsupportedMediaType: entry(
    415,
    'The body has the wrong type',
    'Bodies are application/json in UTF-8, not compressed.',
    'Set Content-Type: application/json.',
  ),
  idempotencyMismatch: entry(
    422,
    'The Idempotency-Key was used for another request',
    'A key names one request for 24 hours.',
    'Use a new key for a new request.',
  ),
  tooManyRequests: entry(
    429,
    'Too many requests',
    'A limit was passed; Retry-After says how long to wait.',
    'Wait, then go on slower.',
  ),
  loginLimited: entry(
    429,
    'Too many failed logins',
    'This address or network has failed too often.',
    'Wait for Retry-After.',
  ),
  headersTooLarge: entry(
    431,
    'The headers are too large',
    'All headers together have a limit of 16 KiB.',
    'Send fewer.',
  ),
  internal: entry(
    500,
    'Something is wrong here',
    'An error of ours; it is in the log under `requestId`.',
    'Report it with the requestId.',
  ),
  busUnavailable: entry(
    503,
    'A part of the system can’t be reached',
    'The service that must answer doesn’t.',
    'Try again soon.',
  ),
  storeUnavailable: entry(503, 'The store can’t be reached', 'Nothing was written.', 'Try again soon.'),
  storeBusy: entry(503, 'The store has too much to do', 'Nothing was written.', 'Try again after Retry-After.'),
  outcomeUnknown: entry(
    503,
    'It is not known whether it was written',
    'The store didn’t say in time.',
    'Read before repeating; a send repeated with its Idempotency-Key is never doubled.',
  ),
  overloaded: entry(503, 'Too much at once', 'A limit of this process was reached.', 'Try again after Retry-After.'),
  shuttingDown: entry(503, 'Shutting down', 'This process takes no new work.', 'Try again: another one answers.'),
  storeFull: entry(507, 'There is no room', 'Nothing was written; what was there stays.', 'Make room.'),
} as const;

export type ProblemCode = keyof typeof problemCatalogue;

export interface ProblemEntry {
  status: number;
  title: string;
  meaning: string;
  fix: string;
}

function entry(status: number, title: string, meaning: string, fix: string): ProblemEntry {
  return { status, title, meaning, fix };
}
