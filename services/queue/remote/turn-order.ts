/**
 * Whose turn it is: the lowest priority first, and within it who waits longest. Lanes whose next row is a first try and those that try again take turns, so that
 * a thousand destinations that come back together don't delay new mail to others.
 */
export class TurnOrder<T> {
  /** By priority: first tries, then the others; each in the order of waiting. */
  readonly #lines = new Map<number, [Map<T, true>, Map<T, true>]>();
  readonly #places = new Map<T, Map<T, true>>();
  /** Of each priority, which of the two lines is next. */
  readonly #turn = new Map<number, 0 | 1>();

  get size(): number {
    return this.#places.size;
  }

  /** At the end of its line; one that is in that line already stays where it is. Returns true when it was in none. */
  place(item: T, { priority, isFirstTry }: { priority: number; isFirstTry: boolean }): boolean {
    let lines = this.#lines.get(priority);
    if (lines === undefined) {
      lines = [new Map(), new Map()];
      this.#lines.set(priority, lines);
    }
    const line = lines[isFirstTry ? 0 : 1];
    const place = this.#places.get(item);
    if (place === line) return false;
    place?.delete(item);
    line.set(item, true);
    this.#places.set(item, line);
    return place === undefined;
  }

  remove(item: T): void {
    const place = this.#places.get(item);
    if (place === undefined) return;
    place.delete(item);
    this.#places.delete(item);
    for (const [priority, lines] of this.#lines) {
      const which = lines.indexOf(place);
      if (which >= 0) this.#turn.set(priority, which === 0 ? 1 : 0);
    }
  }

  next(): T | undefined {
    return this.upcoming(1)[0];
  }

  upcoming(many: number): T[] {
    const items: T[] = [];
    for (const priority of [...this.#lines.keys()].toSorted((a, b) => a - b)) {
      const lines = this.#lines.get(priority);
      if (lines === undefined) continue;
      const turn = this.#turn.get(priority) ?? 0;
      items.push(...inTurns(lines[turn], lines[turn === 0 ? 1 : 0], many - items.length));
      if (items.length >= many) break;
    }
    return items;
  }
}

function inTurns<T>(first: Map<T, true>, second: Map<T, true>, many: number): T[] {
  const iterators = [first.keys(), second.keys()];
  const items: T[] = [];
  for (let at = 0, ended = 0; items.length < many && ended < iterators.length; at++) {
    const next = iterators[at % iterators.length]?.next();
    if (next === undefined || next.done === true) ended++;
    else {
      items.push(next.value);
      ended = 0;
    }
  }
  return items;
}
