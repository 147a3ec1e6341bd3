/**
 * The bytes that a process holds in memory at one time for those who ask it for something: so many in all, and so many for each holder, so that one
 * alone can't keep the others out. What is the only hold is let in however large it is: its size has a limit of its own.
 */
export class HeldBytes {
  readonly #total: number;
  readonly #perHolder: number;
  readonly #ofHolders = new Map<string, number>();
  #held = 0;

  constructor(options: { totalBytes: number; perHolderBytes: number }) {
    this.#total = options.totalBytes;
    this.#perHolder = options.perHolderBytes;
  }

  get bytes(): number {
    return this.#held;
  }

  /** A hold of nothing yet. Its maker must release it. */
  hold(holder: string): ByteHold {
    let own = 0;
    const add = (bytes: number): void => {
      own += bytes;
      this.#held += bytes;
      const ofHolder = (this.#ofHolders.get(holder) ?? 0) + bytes;
      if (ofHolder === 0) this.#ofHolders.delete(holder);
      else this.#ofHolders.set(holder, ofHolder);
    };
    const room = (bytes: number): Room => {
      const ofHolder = this.#ofHolders.get(holder) ?? 0;
      if (ofHolder > own && ofHolder + bytes > this.#perHolder) return 'holderFull';
      return this.#held > own && this.#held + bytes > this.#total ? 'full' : 'room';
    };
    return {
      room,
      grow: (bytes) => {
        const found = room(bytes);
        if (found === 'room') add(bytes);
        return found;
      },
      release: () => add(-own),
    };
  }
}

/** `holderFull`: the holder has too much, though others could have more. */
export type Room = 'room' | 'full' | 'holderFull';

export interface ByteHold {
  /** Whether so many bytes more could be held now. */
  room(bytes: number): Room;
  /** Holds so many bytes more, if there is room for them. */
  grow(bytes: number): Room;
  /** Gives back all; the hold can grow again. */
  release(): void;
}
