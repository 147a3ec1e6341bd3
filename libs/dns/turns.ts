/** At most so many at the same time; the rest wait in line, and past the end of the line there is no place. */
export class Turns {
  readonly #most: number;
  readonly #mostWaiting: number;
  readonly #waiting = new Set<() => void>();
  #running = 0;

  constructor(options: { most: number; mostWaiting: number }) {
    this.#most = options.most;
    this.#mostWaiting = options.mostWaiting;
  }

  /** Running and waiting. */
  get size(): number {
    return this.#running + this.#waiting.size;
  }

  /** Resolves with what ends the turn; with undefined when the line is full or the signal aborts first. */
  async take(signal: AbortSignal): Promise<(() => void) | undefined> {
    if (this.#running >= this.#most) {
      if (this.#waiting.size >= this.#mostWaiting || !(await this.#inLine(signal))) return undefined;
    } else this.#running += 1;
    return () => this.#end();
  }

  /** The turn of the one before goes over to the one who waits. */
  #end(): void {
    const [next] = this.#waiting;
    if (next === undefined) this.#running -= 1;
    else next();
  }

  #inLine(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (mine: boolean): void => {
        this.#waiting.delete(called);
        signal.removeEventListener('abort', gone);
        resolve(mine);
      };
      const called = (): void => done(true);
      const gone = (): void => done(false);
      if (signal.aborted) {
        resolve(false);
        return;
      }
      this.#waiting.add(called);
      signal.addEventListener('abort', gone);
    });
  }
}
