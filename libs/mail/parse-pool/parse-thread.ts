import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Job, JobResult, Ready } from './jobs.ts';

/** The thread was ended by its deadline or by what it was given; the job has no result. */
export class ParseThreadLostError extends Error {
  readonly reason: 'deadline' | 'crash';

  constructor(reason: 'deadline' | 'crash', cause?: unknown) {
    super(reason === 'deadline' ? 'the parser took too long' : 'the parser thread ended', { cause });
    this.name = 'ParseThreadLostError';
    this.reason = reason;
  }
}

/** For a thread to load its modules, on a machine that has much to do. */
const START_MS = 30_000;

/** One worker thread that does one job at a time. Once lost or closed it does none any more. */
export class ParseThread {
  readonly #worker: Worker;
  #settle: { resolve: (result: JobResult) => void; reject: (error: Error) => void } | undefined;
  readonly #ready = Promise.withResolvers<void>();
  #ended = false;

  /** A message that makes the parser hold more than `heapMb` ends the thread, not the process. */
  constructor(entry: URL, heapMb: number) {
    this.#worker = new Worker(entry, { resourceLimits: { maxOldGenerationSizeMb: heapMb } });
    this.#worker.unref();
    this.#worker.on('message', (message: JobResult | Ready) => {
      if (message.kind === 'ready') this.#ready.resolve();
      else this.#settle?.resolve(message);
    });
    this.#worker.on('messageerror', (error) => this.#lose('crash', error));
    this.#worker.on('error', (error) => this.#lose('crash', error));
    this.#worker.on('exit', () => this.#lose('crash'));
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Rejects with ParseThreadLostError. */
  async run(job: Job, deadlineMs: number): Promise<JobResult> {
    const { promise, resolve, reject } = Promise.withResolvers<JobResult>();
    if (this.#ended) throw new ParseThreadLostError('crash');
    this.#settle = { resolve, reject };
    let timer = setTimeout(() => this.#lose('deadline'), START_MS);
    this.#worker.ref();
    try {
      await Promise.race([this.#ready.promise, promise]);
      clearTimeout(timer);
      timer = setTimeout(() => this.#lose('deadline'), deadlineMs);
      this.#worker.postMessage(job, [buffersOf(job).buffer]);
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#settle = undefined;
      this.#worker.unref();
    }
  }

  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const gone = once(this.#worker, 'exit');
    await this.#worker.terminate();
    await gone;
    this.#settle?.reject(new ParseThreadLostError('crash'));
  }

  #lose(reason: 'deadline' | 'crash', cause?: unknown): void {
    if (!this.#ended) {
      this.#ended = true;
      // terminate() settles when the thread is gone; nobody waits for it, and it doesn't reject.
      void this.#worker.terminate();
    }
    this.#settle?.reject(new ParseThreadLostError(reason, cause));
  }
}

function buffersOf(job: Job): Uint8Array<ArrayBuffer> {
  switch (job.kind) {
    case 'listings':
      return job.messages;
    case 'message':
      return job.raw;
    case 'part':
      return job.encoded;
  }
}
