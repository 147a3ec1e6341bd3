import { newestReadable } from '../schema/version.ts';

/** Faults, a line each; past the cap they are only counted, for a broken store may have millions. */
export class FaultList {
  readonly #lines: string[] = [];
  #more = 0;

  add(line: string): void {
    if (this.#lines.length < maxFaults) this.#lines.push(line);
    else this.#more += 1;
  }

  /** True for a document that this release can't read; it is noted. */
  isNewer(what: string, { v }: { v: number }): boolean {
    if (v <= newestReadable) return false;
    this.add(`${what} is of version ${v}, which a newer release wrote: this one leaves it alone`);
    return true;
  }

  lines(): string[] {
    return this.#more === 0 ? [...this.#lines] : [...this.#lines, `and ${this.#more} more`];
  }
}

const maxFaults = 1_000;
