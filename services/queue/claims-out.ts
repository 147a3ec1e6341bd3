/**
 * Claims that were handed out and whose end wasn't heard of. A worker may renew its lease, of which nobody tells: so a claim whose first lease has passed is
 * asked about at each look, until it ends or is too old to be told from one whose end was never heard. Bounded: the oldest is forgotten first, and
 * the sweep finds its rows.
 */
export class ClaimsOut {
  readonly #options: { cap: number; rememberedLeases: number };
  /** By token; times are monotonic. */
  readonly #claims = new Map<string, { endsAtMs: number; forgetAtMs: number }>();

  constructor(options: { cap: number; rememberedLeases: number }) {
    this.#options = options;
  }

  get size(): number {
    return this.#claims.size;
  }

  add(token: string, claimedAtMs: number, leaseMs: number): void {
    const { cap, rememberedLeases } = this.#options;
    const [oldest] = this.#claims.keys();
    if (this.#claims.size >= cap && oldest !== undefined) this.#claims.delete(oldest);
    this.#claims.set(token, { endsAtMs: claimedAtMs + leaseMs, forgetAtMs: claimedAtMs + rememberedLeases * leaseMs });
  }

  ended(token: string): void {
    this.#claims.delete(token);
  }

  /** True when leases may have ended: their rows must be looked at in the store. */
  mayHaveEnded(nowMs: number): boolean {
    let any = false;
    for (const [token, { endsAtMs, forgetAtMs }] of this.#claims) {
      if (endsAtMs > nowMs) continue;
      if (forgetAtMs <= nowMs) this.#claims.delete(token);
      any = true;
    }
    return any;
  }
}
