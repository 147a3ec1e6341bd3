import type { Db, ReadPreferenceMode } from 'mongodb';

/** Past it nothing more is accepted, so that what was accepted can still be delivered. */
const fullShare = 0.95;
const lookEveryMs = 10_000;

/**
 * How full the members' disks are, looked at beside the accepts and not before each: the primary and one of the secondaries each time, so that in a few looks
 * every member was asked.
 */
export class Room {
  readonly #db: Db;
  readonly #fullShare: number;
  #share = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(db: Db, full: number = fullShare) {
    this.#db = db;
    this.#fullShare = full;
  }

  /** True when a member was too full at the last look. */
  get isFull(): boolean {
    if (performance.now() - this.#lookedAt >= lookEveryMs) {
      this.#lookedAt = performance.now();
      void this.look();
    }
    return this.#share >= this.#fullShare;
  }

  async look(): Promise<void> {
    const shares = await Promise.all([this.#usedShare('primary'), this.#usedShare('secondaryPreferred')]);
    this.#share = Math.max(...shares);
  }

  /** 0 when it can't be known: whether mail can be kept is then for the write itself to say. */
  async #usedShare(readPreference: ReadPreferenceMode): Promise<number> {
    try {
      const stats = await this.#db.command({ dbStats: 1 }, { readPreference, signal: AbortSignal.timeout(5_000) });
      const share = Number(stats['fsUsedSize']) / Number(stats['fsTotalSize']);
      return Number.isFinite(share) ? share : 0;
    } catch {
      return 0;
    }
  }
}
