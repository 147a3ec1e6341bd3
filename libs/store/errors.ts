/** The store can't be reached or has no majority: nothing was written. SMTP 451, HTTP 503. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable';
}

/** There is no room: nothing was written, what was accepted stays. SMTP 452, HTTP 507. */
export class StoreFull extends Error {
  override readonly name = 'StoreFull';
}

/** A time-out, a failed fsync or a write-concern error: it may or may not have been written. SMTP 451; the store probes before it takes more. */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown';
}

/** Too many writes wait already: nothing was written. SMTP 451, HTTP 503 with Retry-After. */
export class StoreBusy extends Error {
  override readonly name = 'StoreBusy';
}

/** Something of that name or key is there. HTTP 409. */
export class AlreadyExists extends Error {
  override readonly name = 'AlreadyExists';
  readonly what: string;
  constructor(what: string) {
    super(`${what} exists already`);
    this.what = what;
  }
}

/** There is nothing of that id here (or it isn't the caller's, which looks the same). HTTP 404. */
export class NotFound extends Error {
  override readonly name = 'NotFound';
  readonly what: string;
  constructor(what: string) {
    super(`${what} not found`);
    this.what = what;
  }
}

/** The row isn't in the state that the caller said (If-Match, or a lease that is gone). HTTP 412. */
export class PreconditionFailed extends Error {
  override readonly name = 'PreconditionFailed';
}

/** The domain forbids it: e.g. a mailbox inside itself, the inbox deleted. HTTP 409 with the `rule` as code. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly rule: string;
  constructor(rule: string, message: string) {
    super(message);
    this.rule = rule;
  }
}

/** The state token is older than what is kept (30 days), or of another incarnation. HTTP 410. */
export class CannotCalculateChanges extends Error {
  override readonly name = 'CannotCalculateChanges';
}

/** True when the store as a whole has the trouble: what was asked isn't to blame, and is asked again later as it is. */
export function isStoreTrouble(error: unknown): boolean {
  return (
    error instanceof StoreUnavailable ||
    error instanceof StoreBusy ||
    error instanceof StoreFull ||
    error instanceof OutcomeUnknown
  );
}
