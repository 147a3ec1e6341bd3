import { parentPort } from 'node:worker_threads';
import { type Job, type Ready, runJob } from './jobs.ts';

// The entry of a parser thread. What throws here ends the thread, and the pool deals with the message that did it.
const port = parentPort;
port?.on('message', (job: Job) => {
  const result = runJob(job);
  port.postMessage(result, result.kind === 'part' ? [result.bytes.buffer] : []);
});
port?.postMessage({ kind: 'ready' } satisfies Ready);
