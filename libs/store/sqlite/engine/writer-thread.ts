import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { OutcomeUnknown, StoreFull, StoreUnavailable } from '../../errors.ts';
import { writes } from '../ops/index.ts';
import { migrate } from '../schema/index.ts';
import { Connection } from './connection.ts';
import { type Job, type JobAnswer, sqliteCode, sqliteFull, sqliteIoError, type ThreadMessage, toWire } from './wire.ts';

/**
 * The one writer of the database: group commit. Whatever operations have arrived run in one transaction; one that fails leaves the others; all are
 * answered after the one fsync. While a commit runs, the next group gathers.
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
  say(port, { ready: true });

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
        const begun = performance.now();
        const { answers, reopen } = commit(connection, group);
        if (reopen) connection = reopened(connection, data.file, options);
        say(port, { answers, seconds: (performance.now() - begun) / 1000 });
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

const say = (port: MessagePort, message: ThreadMessage): void => port.postMessage(message);

function receive(port: MessagePort): Job[] | 'close' | undefined {
  const received: { message: Job[] | 'close' } | undefined = receiveMessageOnPort(port);
  return received?.message;
}

function commit(connection: Connection, group: readonly Job[]): { answers: JobAnswer[]; reopen: boolean } {
  let committing = false;
  try {
    connection.run('BEGIN IMMEDIATE');
    const answers = runGroup(connection, group);
    committing = true;
    connection.run('COMMIT');
    return { answers, reopen: false };
  } catch (error) {
    const full = sqliteCode(error) === sqliteFull;
    rollBack(connection);
    const failure = groupFailure(error, full, committing);
    return { answers: group.map((job) => ({ id: job.id, error: toWire(failure) })), reopen: !full };
  }
}

/**
 * Without savepoints first: SQLite copies each page that a savepoint may have to give back, which costs more than most jobs. Only when a job fails after it
 * has written is the group begun again, each job in a savepoint.
 */
function runGroup(connection: Connection, group: readonly Job[]): JobAnswer[] {
  const counts = new Map<string, number>();
  connection.takeCounts();
  let answers = runAll(connection, group, counts, false);
  if (answers === undefined) {
    connection.run('ROLLBACK');
    connection.run('BEGIN IMMEDIATE');
    counts.clear();
    answers = runAll(connection, group, counts, true) ?? [];
  }
  for (const [name, delta] of counts) if (delta !== 0) connection.run(addToCounterSql, name, delta);
  return answers;
}

/** Undefined: a job has failed halfway and nothing could give back what it wrote. */
function runAll(
  connection: Connection,
  group: readonly Job[],
  counts: Map<string, number>,
  savepoints: boolean,
): JobAnswer[] | undefined {
  const answers: JobAnswer[] = [];
  for (const job of group) {
    const answer = runJob(connection, job, savepoints);
    const counted = connection.takeCounts();
    if (answer === undefined) return undefined;
    if ('value' in answer) for (const [name, delta] of counted) counts.set(name, (counts.get(name) ?? 0) + delta);
    answers.push(answer);
  }
  return answers;
}

function runJob(connection: Connection, job: Job, savepoint: boolean): JobAnswer | undefined {
  const operation = writes[job.operation];
  if (operation === undefined) return { id: job.id, error: toWire(new Error(`no write operation ${job.operation}`)) };
  if (savepoint) connection.run('SAVEPOINT job');
  const before = connection.writes;
  try {
    const value = operation(connection, job.args);
    if (savepoint) connection.run('RELEASE job');
    return { id: job.id, value };
  } catch (error) {
    const code = sqliteCode(error);
    // These may have rolled back the whole transaction already: the group fails together.
    if (code === sqliteFull || code === sqliteIoError || !connection.inTransaction) throw error;
    if (!savepoint && connection.writes !== before) return undefined;
    if (savepoint) {
      connection.run('ROLLBACK TO job');
      connection.run('RELEASE job');
    }
    return { id: job.id, error: toWire(error) };
  }
}

/** The whole group has failed. */
function groupFailure(error: unknown, full: boolean, committing: boolean): Error {
  if (full) return new StoreFull('no room for the database');
  const reason = error instanceof Error ? error.message : String(error);
  // A failed fsync may have reached the disk or not: nobody may be told either way. Before the commit nothing was written.
  return committing
    ? new OutcomeUnknown(`the commit failed: ${reason}`)
    : new StoreUnavailable(`the database failed before the commit: ${reason}`);
}

const addToCounterSql =
  'INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value';

function rollBack(connection: Connection): void {
  // SQLite may have rolled back by itself.
  if (!connection.inTransaction) return;
  try {
    connection.run('ROLLBACK');
  } catch {
    // The connection is closed next, which rolls back too; a full disk always lets a rollback through.
  }
}

function reopened(
  connection: Connection,
  file: string,
  options: { readOnly: boolean; maxPageCount?: number },
): Connection {
  try {
    connection.close();
  } catch {
    // A connection that can't be closed cleanly is left to the end of the process; the new one recovers from the WAL.
  }
  return new Connection(file, options);
}

const data: WriterData = workerData;
if (parentPort !== null) main(parentPort, data);
