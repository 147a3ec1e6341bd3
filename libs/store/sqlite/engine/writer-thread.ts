import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { OutcomeUnknown, StoreFull } from '../../errors.ts';
import { writes } from '../ops/index.ts';
import { migrate } from '../schema/index.ts';
import { Connection } from './connection.ts';
import { type Job, type JobAnswer, sqliteCode, sqliteFull, sqliteIoError, toWire } from './wire.ts';

/**
 * The one writer of the database: group commit. Whatever operations have arrived run in one transaction, each in a savepoint of its own so that
 * one that fails leaves the others; all are answered after the one fsync. While a commit runs, the next group gathers.
 */
export interface WriterData {
  file: string;
  maxPageCount?: number;
}

/** More than this in one transaction makes the first of them wait too long. */
const maxJobsPerCommit = 512;

function main(port: MessagePort, data: WriterData): void {
  const options = { readOnly: false, ...(data.maxPageCount === undefined ? {} : { maxPageCount: data.maxPageCount }) };
  let connection = new Connection(data.file, options);
  migrate(connection);
  port.postMessage({ ready: true });

  port.on('message', (first: Job[] | 'close') => {
    let queue: Job[] = [];
    let next: Job[] | 'close' | undefined = first;
    while (next !== undefined || queue.length > 0) {
      while (next !== undefined && next !== 'close') {
        queue = queue.length === 0 ? next : queue.concat(next);
        next = receive(port);
      }
      if (queue.length > 0) {
        const group = queue.slice(0, maxJobsPerCommit);
        queue = queue.slice(maxJobsPerCommit);
        const { answers, reopen } = commit(connection, group);
        if (reopen) connection = reopened(connection, data.file, options);
        port.postMessage(answers);
      }
      if (next === 'close' && queue.length === 0) {
        connection.close();
        port.close();
        return;
      }
      if (next === undefined) next = receive(port);
    }
  });
}

function receive(port: MessagePort): Job[] | 'close' | undefined {
  return receiveMessageOnPort(port)?.message;
}

function commit(connection: Connection, group: readonly Job[]): { answers: JobAnswer[]; reopen: boolean } {
  try {
    connection.run('BEGIN IMMEDIATE');
    const answers = group.map((job) => runInSavepoint(connection, job));
    connection.run('COMMIT');
    return { answers, reopen: false };
  } catch (error) {
    const code = sqliteCode(error);
    rollBack(connection);
    const full = code === sqliteFull;
    // A failed fsync may have reached the disk or not: nobody may be told either way.
    const translated = full
      ? new StoreFull('no room for the database')
      : new OutcomeUnknown(`the commit failed: ${error instanceof Error ? error.message : String(error)}`);
    return { answers: group.map((job) => ({ id: job.id, error: toWire(translated) })), reopen: !full };
  }
}

function runInSavepoint(connection: Connection, job: Job): JobAnswer {
  const operation = writes[job.operation];
  if (operation === undefined) return { id: job.id, error: toWire(new Error(`no write operation ${job.operation}`)) };
  connection.run('SAVEPOINT job');
  try {
    const value = operation(connection, job.args);
    connection.run('RELEASE job');
    return { id: job.id, value };
  } catch (error) {
    const code = sqliteCode(error);
    // These may have rolled back the whole transaction already: the group fails together.
    if (code === sqliteFull || code === sqliteIoError) throw error;
    connection.run('ROLLBACK TO job');
    connection.run('RELEASE job');
    return { id: job.id, error: toWire(error) };
  }
}

function rollBack(connection: Connection): void {
  try {
    connection.run('ROLLBACK');
  } catch {
    // SQLite had rolled back by itself: there is no transaction any more.
  }
}

function reopened(connection: Connection, file: string, options: { readOnly: boolean; maxPageCount?: number }): Connection {
  try {
    connection.close();
  } catch {
    // A connection that can't be closed cleanly is left to the end of the process; the new one recovers from the WAL.
  }
  return new Connection(file, options);
}

if (parentPort !== null) main(parentPort, workerData);
