import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { reads } from '../ops/index.ts';
import { Connection } from './connection.ts';
import { type Job, type JobAnswer, toWire } from './wire.ts';

/** Runs read operations, each in one snapshot. */
function main(port: MessagePort, data: { file: string }): void {
  const connection = new Connection(data.file, { readOnly: true });
  port.postMessage({ ready: true });
  port.on('message', (jobs: Job[] | 'close') => {
    if (jobs === 'close') {
      connection.close();
      port.close();
      return;
    }
    port.postMessage(jobs.map((job) => runInSnapshot(connection, job)));
  });
}

function runInSnapshot(connection: Connection, job: Job): JobAnswer {
  const operation = reads[job.operation];
  if (operation === undefined) return { id: job.id, error: toWire(new Error(`no read operation ${job.operation}`)) };
  connection.run('BEGIN');
  try {
    return { id: job.id, value: operation(connection, job.args) };
  } catch (error) {
    return { id: job.id, error: toWire(error) };
  } finally {
    connection.run('COMMIT');
  }
}

if (parentPort !== null) main(parentPort, workerData);
