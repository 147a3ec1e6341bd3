/** The memory that messages under way may take together, in bytes. */
export class DataMemory {
  readonly #capBytes: number;
  #heldBytes = 0;

  constructor(capBytes: number) {
    this.#capBytes = capBytes;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** False, and nothing taken, when that much isn't free. */
  take(bytes: number): boolean {
    if (this.#heldBytes + bytes > this.#capBytes) return false;
    this.#heldBytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#heldBytes -= bytes;
  }
}
