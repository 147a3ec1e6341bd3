import type { Subscription } from './port.ts';

/**
 * Hands items to `handle` one after the other, never in the caller's own stack. Past `cap` the oldest waiting item is dropped.
 * `handle` must not throw.
 */
export class SerialQueue<T> implements Subscription {
  readonly #handle: (item: T) => Promise<void> | void;
  readonly #cap: number;
  readonly #onDrop: () => void;
  readonly #onClose: () => void;
  #items: T[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: {
    handle: (item: T) => Promise<void> | void;
    cap: number;
    onDrop: () => void;
    onClose: () => void;
  }) {
    this.#handle = options.handle;
    this.#cap = options.cap;
    this.#onDrop = options.onDrop;
    this.#onClose = options.onClose;
  }

  get length(): number {
    return this.#items.length;
  }

  push(item: T): void {
    if (this.#closed) return;
    if (this.#items.length >= this.#cap) {
      this.#items.shift();
      this.#onDrop();
    }
    this.#items.push(item);
    this.#running ??= this.#run();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#items = [];
    this.#onClose();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#items.length > 0) {
      // Other work of the process gets its turn between slices.
      await new Promise((resolve) => setImmediate(resolve));
      await this.#slice();
    }
    this.#running = undefined;
  }

  async #slice(): Promise<void> {
    for (let taken = 0; taken < sliceSize; taken++) {
      const item = this.#items.shift();
      if (item === undefined) return;
      await this.#handle(item);
    }
  }
}

const sliceSize = 64;
