import type { Job, JobResult } from './jobs.ts';
import { ParseThread } from './parse-thread.ts';

/** As much waits as may; nothing was done. */
export class ParsePoolFullError extends Error {
  override readonly name = 'ParsePoolFullError';
}

export class ParsePoolClosedError extends Error {
  override readonly name = 'ParsePoolClosedError';
}

export type JobQueueOptions = {
  /** Threads at most; default 1. */
  threads?: number;
  /** Jobs that wait for a thread; default 1,000. Past it ParsePoolFullError. */
  maxWaitingJobs?: number;
  /** Bytes of the messages that wait; default 256 MiB. A single larger one is taken when nothing else waits. */
  maxWaitingBytes?: number;
  /** For one job, from its start; default 10 s. Past it the thread is ended. */
  deadlineMs?: number;
  /** A thread that had nothing to do for so long is ended; default 60 s. */
  idleMs?: number;
  /** JavaScript heap of a thread in MiB, past which it is ended; default 512. */
  heapMb?: number;
  /** The entry of a thread; another one only for tests. */
  entry?: URL;
};

/** `makeJob` is called when a thread is free, so that what waits is not held twice. */
export type QueuedJob = { bytes: number; makeJob: () => Job };

type Waiting = QueuedJob & { start: (thread: ParseThread) => Promise<void>; refuse: (error: unknown) => void };

/** Gives jobs to at most so many threads, first come first served. */
export class JobQueue {
  readonly #options: Required<JobQueueOptions>;
  readonly #waiting: Waiting[] = [];
  readonly #idle: { thread: ParseThread; timer: NodeJS.Timeout }[] = [];
  readonly #threads = new Set<ParseThread>();
  #waitingBytes = 0;
  #closed = false;

  constructor(options: JobQueueOptions) {
    this.#options = {
      threads: 1,
      maxWaitingJobs: 1000,
      maxWaitingBytes: 256 * 1024 * 1024,
      deadlineMs: 10_000,
      idleMs: 60_000,
      heapMb: 512,
      entry: new URL('./worker.ts', import.meta.url),
      ...options,
    };
  }

  /** Rejects with ParseThreadLostError when the job ended its thread, and as ParsePool says. */
  run(job: QueuedJob, signal?: AbortSignal): Promise<JobResult> {
    const { promise, resolve, reject } = Promise.withResolvers<JobResult>();
    if (this.#closed) reject(new ParsePoolClosedError('the parse pool is closed'));
    else if (signal?.aborted) reject(signal.reason);
    else if (!this.#hasRoomFor(job)) reject(new ParsePoolFullError('too much mail waits to be parsed'));
    else this.#enqueue(job, resolve, reject, signal);
    return promise;
  }

  stats(): { threads: number; waitingJobs: number; waitingBytes: number } {
    return { threads: this.#threads.size, waitingJobs: this.#waiting.length, waitingBytes: this.#waitingBytes };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#waitingBytes = 0;
    for (const waiting of this.#waiting.splice(0)) waiting.refuse(new ParsePoolClosedError('the parse pool is closed'));
    for (const { timer } of this.#idle.splice(0)) clearTimeout(timer);
    await Promise.all([...this.#threads].map((thread) => thread.close()));
    this.#threads.clear();
  }

  #hasRoomFor(job: QueuedJob): boolean {
    if (this.#waiting.length === 0) return true;
    return (
      this.#waiting.length < this.#options.maxWaitingJobs &&
      this.#waitingBytes + job.bytes <= this.#options.maxWaitingBytes
    );
  }

  #enqueue(
    job: QueuedJob,
    resolve: (result: JobResult) => void,
    reject: (error: unknown) => void,
    signal?: AbortSignal,
  ): void {
    const onAbort = (): void => {
      const at = this.#waiting.indexOf(waiting);
      if (at !== -1) {
        this.#waiting.splice(at, 1);
        this.#waitingBytes -= job.bytes;
      }
      // A thread can't be called off; what it brings nobody waits for any more.
      reject(signal?.reason);
    };
    const waiting: Waiting = {
      ...job,
      refuse: (error) => {
        signal?.removeEventListener('abort', onAbort);
        reject(error);
      },
      start: async (thread) => {
        try {
          resolve(await thread.run(job.makeJob(), this.#options.deadlineMs));
        } catch (error) {
          reject(this.#closed ? new ParsePoolClosedError('the parse pool was closed') : error);
        } finally {
          signal?.removeEventListener('abort', onAbort);
          this.#release(thread);
        }
      },
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#waiting.push(waiting);
    this.#waitingBytes += job.bytes;
    this.#next();
  }

  #next(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#takeThread();
      const waiting = thread ? this.#waiting.shift() : undefined;
      if (!thread || !waiting) return;
      this.#waitingBytes -= waiting.bytes;
      void waiting.start(thread); // settles the job's own promise and never rejects
    }
  }

  #takeThread(): ParseThread | undefined {
    for (let idle = this.#idle.pop(); idle; idle = this.#idle.pop()) {
      clearTimeout(idle.timer);
      if (!idle.thread.ended) return idle.thread;
      this.#threads.delete(idle.thread);
    }
    if (this.#threads.size >= this.#options.threads) return undefined;
    const thread = new ParseThread(this.#options.entry, this.#options.heapMb);
    this.#threads.add(thread);
    return thread;
  }

  #release(thread: ParseThread): void {
    if (thread.ended) this.#threads.delete(thread);
    else if (!this.#closed)
      this.#idle.push({ thread, timer: setTimeout(() => this.#retire(thread), this.#options.idleMs).unref() });
    if (!this.#closed) this.#next();
  }

  #retire(thread: ParseThread): void {
    const at = this.#idle.findIndex((idle) => idle.thread === thread);
    if (at === -1) return;
    this.#idle.splice(at, 1);
    this.#threads.delete(thread);
    void thread.close(); // it has no job that could be lost, and terminating doesn't reject
  }
}
