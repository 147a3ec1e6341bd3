import { parentPort } from 'node:worker_threads';
import { type Job, type Ready, runJob } from './jobs.ts';

// A real parser thread, except that messages which ask for it hang or end it: no message is known that does so to the parser itself.
const port = parentPort;
port?.on('message', (job: Job) => {
  const bytes = job.kind === 'listings' ? job.messages : job.kind === 'message' ? job.raw : job.encoded;
  const text = Buffer.from(bytes.buffer).toString('latin1');
  if (text.includes('X-Fault: throw')) throw new Error('asked for');
  if (text.includes('X-Fault: exit')) process.exit(1);
  if (text.includes('X-Fault: memory')) {
    const held: string[][] = [];
    for (;;) held.push(Array.from({ length: 100_000 }, (_, i) => `${held.length} ${i}`));
  }
  while (text.includes('X-Fault: hang'));
  const result = runJob(job);
  port.postMessage(result, result.kind === 'part' ? [result.bytes.buffer] : []);
});
port?.postMessage({ kind: 'ready' } satisfies Ready);
