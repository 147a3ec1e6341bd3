import { RequestFailed } from '../bus/port.ts';
import { OutcomeUnknown, StoreBusy, StoreFull, StoreUnavailable } from '../store/errors.ts';

/**
 * Errors of the store as they cross the bus: what fails in auth fails the same way for who asked it. Any other error stays what it is (the bus makes it
 * RequestFailed `internal`).
 */
export function toRequestFailed(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  return makers.has(error.name) ? new RequestFailed(error.name, error.message) : error;
}

/** The error of the store that `toRequestFailed` has made a RequestFailed of; any other error as it is. */
export function fromRequestFailed(error: unknown): unknown {
  if (!(error instanceof RequestFailed)) return error;
  return makers.get(error.code)?.(error.message) ?? error;
}

const makers = new Map<string, (message: string) => Error>([
  ['StoreUnavailable', (message) => new StoreUnavailable(message)],
  ['StoreFull', (message) => new StoreFull(message)],
  ['StoreBusy', (message) => new StoreBusy(message)],
  ['OutcomeUnknown', (message) => new OutcomeUnknown(message)],
]);
