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
} from '../../errors.ts';

/** One operation asked of a thread. */
export interface Job {
  id: number;
  operation: string;
  args: unknown;
}

/** What a thread says: that its database is open, or the answers of a group that one commit (or a reader's turn) took `seconds` for. */
export type ThreadMessage = { ready: true } | { answers: readonly JobAnswer[]; seconds: number };

export type JobAnswer = { id: number; value: unknown } | { id: number; error: WireError };

/** An error as it crosses threads: structured clone keeps neither class nor fields. */
export interface WireError {
  name: string;
  message: string;
  /** `what` of AlreadyExists and NotFound, `rule` of Refused. */
  datum?: string;
  stack?: string;
}

export function toWire(error: unknown): WireError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const wire: WireError = { name: error.name, message: error.message };
  if (error.stack !== undefined) wire.stack = error.stack;
  if (error instanceof AlreadyExists || error instanceof NotFound) wire.datum = error.what;
  if (error instanceof Refused) wire.datum = error.rule;
  return wire;
}

export function fromWire(wire: WireError): Error {
  const make = makers[wire.name];
  if (make !== undefined) return make(wire.message, wire.datum ?? '');
  const error = new Error(wire.message);
  error.name = wire.name;
  if (wire.stack !== undefined) error.stack = wire.stack;
  return error;
}

const makers: Readonly<Record<string, (message: string, datum: string) => Error>> = {
  StoreUnavailable: (message) => new StoreUnavailable(message),
  StoreFull: (message) => new StoreFull(message),
  StoreBusy: (message) => new StoreBusy(message),
  OutcomeUnknown: (message) => new OutcomeUnknown(message),
  PreconditionFailed: (message) => new PreconditionFailed(message),
  CannotCalculateChanges: (message) => new CannotCalculateChanges(message),
  AlreadyExists: (_message, datum) => new AlreadyExists(datum),
  NotFound: (_message, datum) => new NotFound(datum),
  Refused: (message, datum) => new Refused(datum, message),
};

/** SQLite's result code of an error of node:sqlite, its primary part (`errcode & 0xff`); undefined for other errors. */
export function sqliteCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return undefined;
  return error.errcode & 0xff;
}

export const sqliteFull = 13;
export const sqliteIoError = 10;
