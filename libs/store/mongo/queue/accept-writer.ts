import type { Collection } from 'mongodb';
import { OutcomeUnknown, StoreBusy, StoreFull, StoreUnavailable } from '../../errors.ts';
import { durable, writeTimeoutMs } from '../transaction.ts';
import { documentErrors, duplicateKey, storeError } from '../write-errors.ts';
import type { AcceptDocument } from './accept-document.ts';

/** Where one document of a batch is: durable, refused by the unique Idempotency-Key, or its own error. */
export type Accepted = 'accepted' | 'keyUsed';

export interface AcceptWriterOptions {
  accepts: Collection<AcceptDocument>;
  /** True when a write commits to a majority. It never rejects. */
  probe: () => Promise<boolean>;
  /** True when a member's disk is too full to take more. */
  isFull: () => boolean;
  onHealth?: (healthy: boolean) => void;
  onBatch?: (batch: { size: number; seconds: number }) => void;
  /** Default 10 s. */
  deadlineMs?: number;
}

interface Waiting {
  document: AcceptDocument;
  bytes: number;
  resolve: (accepted: Accepted) => void;
  reject: (error: unknown) => void;
}

/**
 * Many accepts share one insertMany: one is in flight, what comes meanwhile gathers for the next. After an unknown outcome nothing is taken until a probe
 * has committed.
 */
export class AcceptWriter {
  readonly #options: AcceptWriterOptions;
  readonly #deadlineMs: number;
  #waiting: Waiting[] = [];
  #bytes = 0;
  #count = 0;
  #writing = false;
  #suspect = false;
  #probing = false;

  constructor(options: AcceptWriterOptions) {
    this.#options = options;
    this.#deadlineMs = options.deadlineMs ?? writeTimeoutMs;
  }

  /** Accepts that wait or are being written, and their bytes. */
  get load(): { writes: number; bytes: number } {
    return { writes: this.#count, bytes: this.#bytes };
  }

  get healthy(): boolean {
    return !this.#suspect;
  }

  write(document: AcceptDocument): Promise<Accepted> {
    if (this.#suspect) {
      this.#probe();
      return Promise.reject(new StoreUnavailable('MongoDB is being probed after an unknown outcome'));
    }
    if (this.#options.isFull()) return Promise.reject(new StoreFull('the disk of a member of MongoDB is nearly full'));
    const bytes = weightOf(document);
    if (this.#count >= maxWaiting || this.#bytes + bytes > maxWaitingBytes) {
      return Promise.reject(new StoreBusy('too much mail waits to be written'));
    }
    this.#count += 1;
    this.#bytes += bytes;
    return new Promise<Accepted>((resolve, reject) => {
      this.#waiting.push({ document, bytes, resolve, reject });
      // In a microtask, so that what comes at once goes together.
      queueMicrotask(() => void this.#drain());
    }).finally(() => {
      this.#count -= 1;
      this.#bytes -= bytes;
    });
  }

  /** To be told of any probe that committed. */
  trust(): void {
    if (!this.#suspect) return;
    this.#suspect = false;
    this.#options.onHealth?.(true);
  }

  async #drain(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    while (this.#waiting.length > 0) await this.#writeBatch(this.#nextBatch());
    this.#writing = false;
  }

  #nextBatch(): Waiting[] {
    let bytes = 0;
    let many = 0;
    for (const waiting of this.#waiting) {
      if (many > 0 && (bytes + waiting.bytes > maxBatchBytes || many >= maxBatch)) break;
      bytes += waiting.bytes;
      many += 1;
    }
    return this.#waiting.splice(0, many);
  }

  async #writeBatch(batch: readonly Waiting[]): Promise<void> {
    const begun = performance.now();
    try {
      const documents = batch.map(({ document }) => document);
      await withinDeadline(
        this.#options.accepts.insertMany(documents, { ordered: false, writeConcern: durable }),
        this.#deadlineMs,
      );
      for (const waiting of batch) waiting.resolve('accepted');
    } catch (error) {
      this.#settle(batch, error);
    }
    this.#options.onBatch?.({ size: batch.length, seconds: (performance.now() - begun) / 1000 });
  }

  /** Errors of single documents with an acknowledged write concern are answers; all else is unknown for the whole batch. */
  #settle(batch: readonly Waiting[], error: unknown): void {
    const failures = failuresOf(error);
    if (failures === undefined) {
      this.#distrust(batch, error);
      return;
    }
    for (const [index, waiting] of batch.entries()) {
      const failure = failures.get(index);
      if (failure === undefined) waiting.resolve('accepted');
      else if (failure instanceof Error) waiting.reject(failure);
      else waiting.resolve(failure);
    }
  }

  #distrust(batch: readonly Waiting[], error: unknown): void {
    const told = storeError(error, true);
    const unknown =
      told instanceof OutcomeUnknown
        ? told
        : new OutcomeUnknown('the outcome of an accept is unknown', { cause: error });
    if (!this.#suspect) {
      this.#suspect = true;
      this.#options.onHealth?.(false);
    }
    for (const { reject } of batch) reject(unknown);
    const rest = this.#waiting;
    this.#waiting = [];
    for (const { reject } of rest) reject(new StoreUnavailable('MongoDB is being probed after an unknown outcome'));
    this.#probe();
  }

  /** One at a time; whoever comes after it has failed begins another. */
  #probe(): void {
    if (this.#probing) return;
    this.#probing = true;
    void this.#options.probe().then((committed) => {
      this.#probing = false;
      if (committed) this.trust();
    });
  }
}

/** MongoDB takes 48 MB in one message; smaller batches keep the wait for the journal short for those behind them. */
const maxBatchBytes = 8 * 1024 * 1024;
const maxBatch = 1_000;
const maxWaiting = 10_000;
const maxWaitingBytes = 64 * 1024 * 1024;

function weightOf({ bytes, trace, targets }: AcceptDocument): number {
  return 1024 + trace.length + targets.length * 512 + (bytes?.length() ?? 0);
}

/** Undefined: no answer, or one without the majority's. */
function failuresOf(error: unknown): Map<number, Accepted | Error> | undefined {
  const errors = documentErrors(error);
  if (errors === undefined) return undefined;
  const failures = new Map<number, Accepted | Error>();
  for (const failure of errors) {
    if (failure.code === duplicateKey) {
      // The messageId itself: accepted before, and the write concern of this batch covers that write too.
      failures.set(failure.index, failure.errmsg?.includes(idempotencyIndex) === true ? 'keyUsed' : 'accepted');
    } else {
      const cause = new StoreUnavailable(`MongoDB: ${failure.errmsg ?? 'not written'}`);
      failures.set(failure.index, asError(storeError(error, false), cause));
    }
  }
  return failures;
}

/** Name of the unique index; the server names it in its error. */
export const idempotencyIndex = 'accepts_idempotency';

const asError = (error: unknown, other: Error): Error =>
  error instanceof Error && error.name.startsWith('Store') ? error : other;

/** The driver goes on with what it has sent; its answer comes too late for anyone. */
async function withinDeadline(work: Promise<unknown>, deadlineMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new OutcomeUnknown(`no answer of MongoDB within ${deadlineMs} ms`)), deadlineMs);
  });
  work.catch(() => undefined);
  try {
    await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
