import { Worker } from 'node:worker_threads';
import { OutcomeUnknown, StoreUnavailable } from '../../errors.ts';
import type { Reads, Writes } from '../ops/index.ts';
import { Thread } from './thread.ts';

/**
 * The SQLite engine seen from the main thread: operations by name, each answered after its commit (writes) or from one snapshot (reads). Queues
 * are capped: past them StoreBusy. After an unknown outcome every write is refused with StoreUnavailable until a probe has committed.
 */
export class Engine {
  readonly #writer: Thread;
  readonly #readers: Thread[];
  readonly #searcher: Thread;
  readonly #options: EngineOptions;
  #suspect = false;
  #probeTimer: NodeJS.Timeout | undefined;
  #closed = false;
  #probing: Promise<boolean> | undefined;

  private constructor(options: EngineOptions, writer: Thread, readers: Thread[], searcher: Thread) {
    this.#options = options;
    this.#writer = writer;
    this.#readers = readers;
    this.#searcher = searcher;
  }

  /** Rejects when the file can't be opened or migrated. */
  static async open(options: EngineOptions): Promise<Engine> {
    const start = options.startWorker ?? startWorker;
    const writer = new Thread(() => start('writer', options), {
      maxJobs: maxWaitingWrites,
      maxBytes: maxWaitingBytes,
      ...(options.onCommit === undefined ? {} : { onGroup: options.onCommit }),
    });
    await writer.ready();
    const deadlineMs = options.readDeadlineMs ?? readDeadlineMs;
    const reader = (): Thread =>
      new Thread(() => start('reader', options), { maxJobs: maxWaitingReads, maxBytes: maxWaitingBytes, deadlineMs });
    return new Engine(options, writer, Array.from({ length: options.readers ?? 1 }, reader), reader());
  }

  /** `bytes`: what the arguments weigh, for the cap of what waits. */
  async write<N extends keyof Writes & string>(
    name: N,
    args: ArgsOf<Writes[N]>,
    bytes = 0,
  ): Promise<ResultOf<Writes[N]>> {
    if (this.#suspect) throw new StoreUnavailable('the store is being probed after a failed commit');
    return this.#ask<ResultOf<Writes[N]>>(name, args, bytes);
  }

  /** `search`: it may take long. Searches have a thread of their own (started by the first), so that nobody else's reads wait behind one. */
  async read<N extends keyof Reads & string>(
    name: N,
    args: ArgsOf<Reads[N]>,
    { search = false }: { search?: boolean } = {},
  ): Promise<ResultOf<Reads[N]>> {
    if (this.#closed) throw new StoreUnavailable('the store is closed');
    const reader = search ? this.#searcher : leastBusy(this.#readers);
    if (reader === undefined) throw new StoreUnavailable('the store has no reader');
    return reader.ask<ResultOf<Reads[N]>>(name, args, 0);
  }

  /** Waiting and running writes, and their bytes. */
  load(): { writes: number; bytes: number; reads: number } {
    return {
      writes: this.#writer.waiting,
      bytes: this.#writer.waitingBytes,
      reads: this.#readers.reduce((sum, reader) => sum + reader.waiting, this.#searcher.waiting),
    };
  }

  healthy(): boolean {
    return !this.#suspect && !this.#closed;
  }

  /** True when a write commits within `timeoutMs`. Probes that run at the same time share one write. */
  async probe(timeoutMs: number): Promise<boolean> {
    this.#probing ??= this.#ask<void>('health.probe', { at: Date.now() }, 0)
      .then(
        () => {
          this.#trust();
          return true;
        },
        // What stopped it is known from the writes that fail; a probe only answers yes or no.
        () => false,
      )
      .finally(() => {
        this.#probing = undefined;
      });
    const probing = this.#probing;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, false);
    });
    return Promise.race([probing, timeout]).finally(() => clearTimeout(timer));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#probeTimer);
    await Promise.all([this.#writer.close(), this.#searcher.close(), ...this.#readers.map((reader) => reader.close())]);
  }

  async #ask<R>(name: string, args: unknown, bytes: number): Promise<R> {
    if (this.#closed) throw new StoreUnavailable('the store is closed');
    try {
      return await this.#writer.ask<R>(name, args, bytes);
    } catch (error) {
      if (error instanceof OutcomeUnknown) this.#distrust();
      throw error;
    }
  }

  #distrust(): void {
    if (this.#suspect || this.#closed) return;
    this.#suspect = true;
    this.#options.onHealth?.(false);
    this.#probeTimer = setInterval(() => void this.probe(probeIntervalMs), probeIntervalMs).unref();
  }

  #trust(): void {
    if (!this.#suspect) return;
    this.#suspect = false;
    clearInterval(this.#probeTimer);
    this.#options.onHealth?.(true);
  }
}

export interface EngineOptions {
  file: string;
  /** Past it a read is given up; default 5 s. */
  readDeadlineMs?: number;
  /** Reader threads, beside the one for searches; default 1. */
  readers?: number;
  /** Called when a commit's outcome was unknown (false), and when a probe has committed again (true). */
  onHealth?: (healthy: boolean) => void;
  /** Called for each group that the writer has ended: how many operations, and how long from its beginning to the end of its commit. */
  onCommit?: (group: { size: number; seconds: number }) => void;
  /** How threads are made; tests keep hold of them here, to end them. */
  startWorker?: (role: 'writer' | 'reader', options: EngineOptions) => Worker;
  /** Largest size of the database in pages of 4 KiB: past it StoreFull. */
  maxPageCount?: number;
}

type ArgsOf<F> = F extends (connection: never, args: infer A) => unknown ? A : never;
type ResultOf<F> = F extends (connection: never, args: never) => infer R ? R : never;

const maxWaitingWrites = 20_000;
const maxWaitingReads = 5_000;
const maxWaitingBytes = 64 * 1024 * 1024;
/** A read that takes longer is given up: its thread is ended and replaced. */
const readDeadlineMs = 5_000;
const probeIntervalMs = 1_000;

/** A thread as the engine makes it. */
export function startWorker(role: 'writer' | 'reader', options: EngineOptions): Worker {
  const { file, maxPageCount } = options;
  return new Worker(new URL(`./${role}-thread.ts`, import.meta.url), {
    workerData: { file, maxPageCount },
    // Not the flags of the process: some (--input-type) forbid a file to start with.
    execArgv: [],
    // Threads print nothing of their own; a small heap is enough, since rows pass through and don't stay.
    resourceLimits: { maxYoungGenerationSizeMb: 16 },
  });
}

function leastBusy(threads: readonly Thread[]): Thread | undefined {
  let best: Thread | undefined;
  for (const thread of threads) if (best === undefined || thread.waiting < best.waiting) best = thread;
  return best;
}
