import type { Worker } from 'node:worker_threads';
import { OutcomeUnknown, StoreBusy, StoreUnavailable } from '../../errors.ts';
import { fromWire, type Job, type JobAnswer, type ThreadMessage } from './wire.ts';

interface Waiting {
  job: Job;
  /** It was sent to a thread that another job has held up. */
  again: boolean;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
  bytes: number;
  timer: NodeJS.Timeout | undefined;
}

export interface ThreadOptions {
  /** Caps of what may wait; past them StoreBusy. */
  maxJobs: number;
  maxBytes: number;
  /** Readers: past it the thread is ended and the job that held it is rejected; those behind it are asked once more. */
  deadlineMs?: number;
  /** Called for each group of answers. */
  onGroup?: (group: { size: number; seconds: number }) => void;
}

/** A worker thread that is asked operations. Jobs of one turn of the event loop go over in one message. A thread that dies is started again. */
export class Thread {
  readonly #start: () => Worker;
  readonly #options: ThreadOptions;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #outbox: Job[] = [];
  #nextId = 1;
  #closing = false;
  #ending = 0;
  #whenReady: Promise<void> | undefined;
  waitingBytes = 0;

  constructor(start: () => Worker, options: ThreadOptions) {
    this.#start = start;
    this.#options = options;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Resolves when the thread has opened its database; rejects with what stopped it. */
  ready(): Promise<void> {
    this.#ensureWorker();
    return this.#whenReady ?? Promise.resolve();
  }

  ask<R>(operation: string, args: unknown, bytes: number): Promise<R> {
    if (this.#closing) return Promise.reject(new StoreUnavailable('the store is closed'));
    if (this.#waiting.size >= this.#options.maxJobs || this.waitingBytes + bytes > this.#options.maxBytes) {
      return Promise.reject(new StoreBusy('too much waits for the store'));
    }
    if (this.#ending >= maxEnding)
      return Promise.reject(new StoreBusy('queries that took too long have not ended yet'));
    this.#ensureWorker();
    const id = this.#nextId++;
    return new Promise<R>((resolve, reject) => {
      const job = { id, operation, args };
      // The operation's own type says what its answer is.
      const answer = { resolve: resolve as (value: unknown) => void, reject };
      this.#waiting.set(id, { ...answer, job, again: false, bytes, timer: this.#deadline() });
      this.waitingBytes += bytes;
      this.#send(job);
    });
  }

  /** What waits is still done; then the thread ends, at the latest after `closeWithinMs` by force. */
  async close(): Promise<void> {
    this.#flush();
    this.#closing = true;
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
    worker.postMessage('close');
    const timer = setTimeout(() => void worker.terminate(), closeWithinMs);
    await ended;
    clearTimeout(timer);
  }

  #deadline(): NodeJS.Timeout | undefined {
    const { deadlineMs } = this.#options;
    return deadlineMs === undefined ? undefined : setTimeout(() => this.#giveUp(), deadlineMs);
  }

  #send(job: Job): void {
    if (this.#outbox.length === 0) setImmediate(() => this.#flush());
    this.#outbox.push(job);
  }

  #flush(): void {
    if (this.#outbox.length === 0) return;
    const jobs = this.#outbox;
    this.#outbox = [];
    this.#worker?.postMessage(jobs);
  }

  #ensureWorker(): void {
    if (this.#worker !== undefined) return;
    const worker = this.#start();
    this.#worker = worker;
    this.#whenReady = new Promise<void>((resolve, reject) => {
      worker.once('message', () => resolve());
      worker.once('error', reject);
    });
    // Who waits for `ready` gets the error; nobody else must.
    this.#whenReady.catch(() => undefined);
    worker.on('message', (message: ThreadMessage) => {
      if (!('answers' in message)) return;
      this.#options.onGroup?.({ size: message.answers.length, seconds: message.seconds });
      this.#settle(message.answers);
    });
    worker.on('error', (error) => this.#lost(worker, error instanceof Error ? error.message : String(error)));
    worker.on('exit', () => this.#lost(worker, 'the thread ended'));
  }

  #settle(answers: readonly JobAnswer[]): void {
    for (const answer of answers) {
      const waiting = this.#take(answer.id);
      if (waiting === undefined) continue;
      if ('error' in answer) waiting.reject(fromWire(answer.error));
      else waiting.resolve(answer.value);
    }
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return undefined;
    this.#waiting.delete(id);
    this.waitingBytes -= waiting.bytes;
    clearTimeout(waiting.timer);
    return waiting;
  }

  #lost(worker: Worker, reason: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#outbox = [];
    for (const id of this.#waiting.keys())
      this.#take(id)?.reject(new OutcomeUnknown(`the store's thread is gone: ${reason}`));
  }

  #giveUp(): void {
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#worker = undefined;
    this.#outbox = [];
    this.#ending += 1;
    void worker.terminate().finally(() => (this.#ending -= 1));
    // Jobs are done in their order: the oldest is the one that has held the thread.
    const [oldest, ...others] = this.#waiting.keys();
    for (const id of others) this.#askAgain(id);
    if (oldest !== undefined) this.#take(oldest)?.reject(new StoreBusy('the query took too long: narrow it'));
    if (this.#outbox.length > 0) this.#ensureWorker();
  }

  /** Reads change nothing, so they may run twice; once more is enough, lest callers wait for many slow ones. */
  #askAgain(id: number): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    if (waiting.again || this.#closing) {
      this.#take(id)?.reject(new StoreBusy('other queries took too long: try again'));
      return;
    }
    clearTimeout(waiting.timer);
    waiting.timer = this.#deadline();
    waiting.again = true;
    this.#send(waiting.job);
  }
}

/** A statement can't be interrupted: its thread ends with it. More than this at one time would hold the machine. */
const maxEnding = 2;

/** What a thread may still take to end its work when it is closed. */
const closeWithinMs = 20_000;
