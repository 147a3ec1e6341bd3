import { setTimeout as wait } from 'node:timers/promises';
import { type ClientSession, type MongoClient, MongoError, MongoErrorLabel } from 'mongodb';
import { OutcomeUnknown } from '../errors.ts';
import { isInterrupted, storeError } from './write-errors.ts';

/** How long a commit waits for a majority. */
export const writeTimeoutMs = 10_000;
/** Majority and journal of each member: what every acknowledged write has. */
export const durable = { w: 'majority', journal: true, wtimeoutMS: writeTimeoutMs } as const;

/**
 * Runs `work` in one transaction and commits it to a majority. One that meets another's write is repeated as a whole, with growing pauses, at most
 * `maxTries` times; so `work` has no effects but its writes. Rejects with StoreBusy (still conflicting), StoreUnavailable (nothing was written) or OutcomeUnknown
 * (the commit was sent and no answer came).
 */
export async function transact<T>(client: MongoClient, work: (session: ClientSession) => Promise<T>): Promise<T> {
  const deadline = performance.now() + maxTotalMs;
  for (let tries = 1; ; tries += 1) {
    try {
      return await once(client, work, deadline);
    } catch (error) {
      const isTransient =
        isInterrupted(error) ||
        (error instanceof MongoError && error.hasErrorLabel(MongoErrorLabel.TransientTransactionError));
      if (!isTransient || tries >= maxTries || performance.now() > deadline) throw storeError(error, false);
    }
    await wait(Math.random() * Math.min(firstPauseMs * 2 ** tries, longestPauseMs));
  }
}

const maxTries = 12;
const maxTotalMs = 20_000;
const firstPauseMs = 2;
const longestPauseMs = 300;

async function once<T>(
  client: MongoClient,
  work: (session: ClientSession) => Promise<T>,
  deadline: number,
): Promise<T> {
  const session = client.startSession();
  try {
    session.startTransaction({
      readConcern: { level: 'snapshot' },
      writeConcern: durable,
      maxCommitTimeMS: writeTimeoutMs,
    });
    let result: T;
    try {
      result = await work(session);
    } catch (error) {
      await session.abortTransaction();
      throw error;
    }
    await commit(session, deadline);
    return result;
  } finally {
    await session.endSession();
  }
}

/** A commit may be told again until its outcome is known: the server remembers it. */
async function commit(session: ClientSession, deadline: number): Promise<void> {
  for (;;) {
    try {
      await session.commitTransaction();
      return;
    } catch (error) {
      if (!(error instanceof MongoError)) throw error;
      const isUnknown = isInterrupted(error) || error.hasErrorLabel(MongoErrorLabel.UnknownTransactionCommitResult);
      if (!isUnknown) throw error;
      if (performance.now() > deadline) {
        throw new OutcomeUnknown(`MongoDB: ${error.message}`, { cause: error });
      }
    }
    await wait(longestPauseMs);
  }
}
