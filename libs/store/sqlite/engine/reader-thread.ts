import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { reads } from '../ops/index.ts';
import { Connection } from './connection.ts';
import { type Job, type JobAnswer, type ThreadMessage, toWire } from './wire.ts';

/** Runs read operations, each in one snapshot. */
function main(port: MessagePort, data: { file: string }): void {
  const connection = new Connection(data.file, { readOnly: true });
  say(port, { ready: true });
  port.on('message', (jobs: Job[] | 'close') => {
    if (jobs === 'close') {
      connection.close();
      port.close();
      return;
    }
    let begun = performance.now();
    let answers: JobAnswer[] = [];
    for (const job of jobs) {
      answers.push(runInSnapshot(connection, job));
      const seconds = (performance.now() - begun) / 1000;
      // Quick answers go together; none waits long for a slow one behind it.
      if (seconds < maxSecondsTogether) continue;
      say(port, { answers, seconds });
      answers = [];
      begun = performance.now();
    }
    if (answers.length > 0) say(port, { answers, seconds: (performance.now() - begun) / 1000 });
  });
}

const maxSecondsTogether = 0.001;

const say = (port: MessagePort, message: ThreadMessage): void => port.postMessage(message);

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

const data: { file: string } = workerData;
if (parentPort !== null) main(parentPort, data);
