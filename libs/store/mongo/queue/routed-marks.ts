import type { Collection } from 'mongodb';
import { durable } from '../transaction.ts';
import { asStoreErrors } from '../write-errors.ts';
import type { AcceptDocument } from './accept-document.ts';

/** Marks messages as routed: all their delivery rows are durable. Repeating it is harmless, so no outcome of it is unknown to anyone. */
export async function markRouted(accepts: Collection<AcceptDocument>, messageIds: readonly string[]): Promise<void> {
  await asStoreErrors(false, () =>
    accepts.updateMany(
      { _id: { $in: [...messageIds] }, routedAt: null },
      { $set: { routedAt: Date.now() } },
      { writeConcern: durable },
    ),
  );
}

/**
 * Marks that nobody waits for, gathered: only the sweep looks at them, and only for messages that were accepted some seconds ago. Those that can't be written are
 * left to it: it finds the rows there, and marks.
 */
export class RoutedMarks {
  readonly #accepts: Collection<AcceptDocument>;
  #waiting: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(accepts: Collection<AcceptDocument>) {
    this.#accepts = accepts;
  }

  add(messageId: string): void {
    this.#waiting.push(messageId);
    if (this.#waiting.length >= most) this.#write();
    else this.#timer ??= setTimeout(() => this.#write(), gatherMs);
  }

  async close(): Promise<void> {
    this.#write();
    await this.#writing;
  }

  #write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const ids = this.#waiting;
    this.#waiting = [];
    if (ids.length === 0) return;
    const marked = markRouted(this.#accepts, ids).catch(() => undefined);
    this.#writing = Promise.all([this.#writing, marked]).then(() => undefined);
  }
}

const gatherMs = 1_000;
const most = 1_000;
