import { StoreBusy } from '../../errors.ts';

/**
 * Changes of one account take turns within this process, so that they don't conflict in MongoDB, where each conflict repeats a whole transaction. Other
 * processes' changes still may. No order between those that share no account, and none waits for itself: turns are taken for all accounts at once.
 */
export class AccountTurns {
  readonly #last = new Map<string, Promise<void>>();
  #many = 0;

  async run<T>(accountIds: readonly string[], work: () => Promise<T>): Promise<T> {
    if (this.#many >= maxWaiting) throw new StoreBusy('too many changes wait for their account');
    this.#many += 1;
    const before = accountIds.map((id) => this.#last.get(id) ?? Promise.resolve());
    const { promise, resolve } = Promise.withResolvers<void>();
    for (const id of accountIds) this.#last.set(id, promise);
    try {
      await Promise.all(before);
      return await work();
    } finally {
      this.#many -= 1;
      for (const id of accountIds) if (this.#last.get(id) === promise) this.#last.delete(id);
      resolve();
    }
  }
}

const maxWaiting = 2_000;
