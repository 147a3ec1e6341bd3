/** Bounds the bytes that are held in memory at one time. Who comes first is served first. */
export class ByteBudget {
  readonly #most: number;
  #held = 0;
  readonly #waiting: { bytes: number; grant: () => void }[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  get held(): number {
    return this.#held;
  }

  /** Runs `use` when `bytes` fit; more than the whole budget counts as the whole. Rejects with the signal's reason when it aborts first. */
  async run<T>(bytes: number, signal: AbortSignal, use: () => Promise<T>): Promise<T> {
    const share = Math.min(bytes, this.#most);
    await this.#take(share, signal);
    try {
      return await use();
    } finally {
      this.#held -= share;
      this.#grantNext();
    }
  }

  async #take(bytes: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#waiting.length === 0 && this.#held + bytes <= this.#most) {
      this.#held += bytes;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(entry), 1);
        reject(signal.reason);
        this.#grantNext();
      };
      const entry = {
        bytes,
        grant: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      this.#waiting.push(entry);
      signal.addEventListener('abort', leave, { once: true });
    });
  }

  #grantNext(): void {
    for (
      let next = this.#waiting[0];
      next !== undefined && this.#held + next.bytes <= this.#most;
      next = this.#waiting[0]
    ) {
      this.#waiting.shift();
      this.#held += next.bytes;
      next.grant();
    }
  }
}
