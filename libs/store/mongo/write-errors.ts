import {
  MongoBulkWriteError,
  MongoError,
  MongoErrorLabel,
  MongoNetworkError,
  MongoNotConnectedError,
  MongoServerError,
  MongoServerSelectionError,
  MongoTopologyClosedError,
  MongoWriteConcernError,
  type WriteError,
} from 'mongodb';
import { OutcomeUnknown, StoreBusy, StoreFull, StoreUnavailable } from '../errors.ts';

/** The server's codes that we tell apart (MongoDB manual, error codes). */
export const duplicateKey = 11000;
export const unauthorized = 13;
const maxTimeExpired = 50;
const writeConcernFailed = 64;
const unsatisfiableWriteConcern = 100;
const writeConflict = 112;
/** Its session was ended (stale-transactions.ts) just as it went on. */
const interrupted = 11601;
const outOfDiskSpace = 14031;

/**
 * An error of the driver as one of the store's; any other error as it is. `wrote`: whether the failed operation may have changed anything, for then a lost
 * reply leaves the outcome unknown. Within a transaction that never committed it can't.
 */
export function storeError(error: unknown, wrote: boolean): unknown {
  if (!(error instanceof MongoError)) return error;
  const cause = { cause: error };
  if (hasServerCode(error, outOfDiskSpace)) return new StoreFull('MongoDB has no room on its disk', cause);
  if (hasServerCode(error, writeConflict)) return new StoreBusy('others change the same rows', cause);
  const isUnknown =
    error instanceof MongoWriteConcernError ||
    hasServerCode(error, writeConcernFailed) ||
    hasServerCode(error, unsatisfiableWriteConcern) ||
    hasServerCode(error, maxTimeExpired) ||
    isInterrupted(error) ||
    isOfTheMoment(error);
  if (isUnknown || isConnectionTrouble(error)) {
    const neverSent = error instanceof MongoNotConnectedError || error instanceof MongoTopologyClosedError;
    return wrote && !neverSent
      ? new OutcomeUnknown(`MongoDB: ${error.message}`, cause)
      : new StoreUnavailable(`MongoDB: ${error.message}`, cause);
  }
  if (error.hasErrorLabel(MongoErrorLabel.TransientTransactionError)) {
    return new StoreBusy('others are in the way of a transaction', cause);
  }
  return error;
}

/** A driver call as the store's own errors. */
export async function asStoreErrors<T>(wrote: boolean, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storeError(error, wrote);
  }
}

/**
 * What the server answered for single documents of a batch whose others are durable. Undefined for any other error: the driver wraps lost replies and missing
 * majorities in a MongoBulkWriteError too, without write errors, and then nothing is known of any document.
 */
export function documentErrors(error: unknown): readonly WriteError[] | undefined {
  if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError() !== undefined) return undefined;
  const errors = [error.writeErrors].flat();
  return errors.length === 0 ? undefined : errors;
}

export const isInterrupted = (error: unknown): boolean => hasServerCode(error, interrupted);

/**
 * A server that ceased to be primary, or a cursor that was killed, in the middle of a read: the driver repeats the first part of a read, and no later one.
 * CursorNotFound, ShutdownInProgress, PrimarySteppedDown, CursorKilled, SnapshotTooOld, SnapshotUnavailable, NotWritablePrimary,
 * InterruptedAtShutdown, InterruptedDueToReplStateChange, NotPrimaryNoSecondaryOk, NotPrimaryOrSecondary.
 */
const momentaryCodes = [43, 91, 189, 237, 239, 246, 10107, 11600, 11602, 13435, 13436];

const isOfTheMoment = (error: unknown): boolean => momentaryCodes.some((code) => hasServerCode(error, code));

export const isDuplicateKey = (error: unknown): boolean => hasServerCode(error, duplicateKey);

function isConnectionTrouble(error: MongoError): boolean {
  if (error instanceof MongoBulkWriteError && documentErrors(error) === undefined) return true;
  if (error instanceof MongoNetworkError || error instanceof MongoServerSelectionError) return true;
  if (error instanceof MongoNotConnectedError || error instanceof MongoTopologyClosedError) return true;
  // No member is primary, or the pool has been cleared after such an error.
  const isRetryable = error.hasErrorLabel('RetryableWriteError') || error.hasErrorLabel('RetryableError');
  return isRetryable || error.name === 'MongoWaitQueueTimeoutError' || error.name === 'MongoPoolClearedError';
}

export const hasServerCode = (error: unknown, code: number): error is MongoServerError =>
  error instanceof MongoServerError && error.code === code;
