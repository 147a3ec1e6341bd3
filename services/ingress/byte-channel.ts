/** The writer has given up before the end. */
export class WriterGone extends Error {
  override readonly name = 'WriterGone';
}

/**
 * Hands chunks from one writer to one reader. `push` resolves when the reader asks for more, so that a slow reader slows the writer and one chunk at most waits
 * here.
 */
export class ByteChannel implements AsyncIterable<Uint8Array> {
  #chunk: Uint8Array | undefined;
  #state: 'open' | 'ended' | 'aborted' | 'unread' = 'open';
  #wakeReader: (() => void) | undefined;
  #wakeWriter: (() => void) | undefined;

  async push(chunk: Uint8Array): Promise<void> {
    if (this.#state !== 'open') return;
    this.#chunk = chunk;
    this.#wakeReader?.();
    await new Promise<void>((resolve) => {
      this.#wakeWriter = resolve;
    });
  }

  /** Everything was pushed. */
  end(): void {
    this.#become('ended');
  }

  /** The rest won't come: the reader gets WriterGone, so that it never takes a part for the whole. */
  abort(): void {
    this.#become('aborted');
  }

  /** The reader has failed or left: pushes resolve at once from now on. */
  close(): void {
    this.#become('unread');
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        const chunk = this.#chunk;
        if (this.#state === 'aborted') throw new WriterGone();
        if (chunk) {
          this.#chunk = undefined;
          yield chunk;
          this.#wakeWriter?.();
        } else if (this.#state !== 'open') {
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wakeReader = resolve;
          });
        }
      }
    } finally {
      this.close();
    }
  }

  #become(state: 'ended' | 'aborted' | 'unread'): void {
    if (this.#state === 'open') this.#state = state;
    this.#wakeReader?.();
    if (state !== 'ended') this.#wakeWriter?.();
  }
}
