import type { Mailboxes } from '../../../libs/store/ports/mailboxes.ts';

/** Accounts whose incarnation is remembered. */
const capacity = 20_000;

/**
 * State tokens of accounts after a delivery, without a read for each: a token is `<incarnation>.<modseq>`, the delivery tells the modseq, and the incarnation
 * changes only by a restore, which no process lives through.
 */
export class StateTokens {
  readonly #mailboxes: Pick<Mailboxes, 'state'>;
  readonly #incarnations = new Map<string, string>();

  constructor(mailboxes: Pick<Mailboxes, 'state'>) {
    this.#mailboxes = mailboxes;
  }

  async of(accountId: string, modseq: number): Promise<string> {
    const incarnation = this.#incarnations.get(accountId) ?? (await this.#read(accountId));
    return `${incarnation}.${modseq}`;
  }

  async #read(accountId: string): Promise<string> {
    const state = await this.#mailboxes.state(accountId);
    const incarnation = state.slice(0, state.lastIndexOf('.'));
    const [oldest] = this.#incarnations.keys();
    if (this.#incarnations.size >= capacity && oldest !== undefined) this.#incarnations.delete(oldest);
    this.#incarnations.set(accountId, incarnation);
    return incarnation;
  }
}
