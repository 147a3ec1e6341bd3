import type { Capabilities } from './capabilities.ts';
import { makeEnvelope, type OutgoingMessage } from './envelope.ts';
import { ConnectionLost, ProtocolFailure, SessionAborted, SmtpFailure, type Stage } from './failures.ts';
import { isPositive } from './outcome.ts';
import type { TimeLimits } from './time-limits.ts';
import type { SessionTls } from './tls.ts';
import { transact, type TransactionResult } from './transaction.ts';
import type { Wire } from './wire.ts';

export interface SessionFacts {
  host: string;
  address: string;
  port: number;
  protocol: 'smtp' | 'lmtp';
  capabilities: Capabilities;
  tls: SessionTls;
  limits: TimeLimits;
}

/** The server takes 7-bit mail only and the message isn't: see `toSevenBit` of libs/mail/convert. */
export class SevenBitNeeded extends Error {
  override readonly name = 'SevenBitNeeded';

  constructor(host: string) {
    super(`${host} takes 7-bit mail only`);
  }
}

/** Whether a message must be made 7-bit for this server (RFC 6152 §3). To be done before signing. */
function needsSevenBit(message: Pick<OutgoingMessage, 'eightBit'>, capabilities: Capabilities): boolean {
  return message.eightBit && !capabilities.eightBitMime;
}

/**
 * An open session with a server: any number of messages, one after the other, then QUIT (RFC 5321 §3.3). It becomes unusable, for ever, by whatever ends the
 * connection, by anything that the server says unasked, and by itself after `limits.idle` without work.
 */
export class SmtpSession {
  readonly host: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: 'smtp' | 'lmtp';
  readonly capabilities: Capabilities;
  readonly tls: SessionTls;
  readonly #wire: Wire;
  readonly #limits: TimeLimits;
  #transactions = 0;
  #busy = false;
  #quitting = false;
  /** The server holds an envelope that didn't come to its end. */
  #leftOpen = false;
  #idle: NodeJS.Timeout | undefined;

  constructor(wire: Wire, facts: SessionFacts) {
    this.host = facts.host;
    this.address = facts.address;
    this.port = facts.port;
    this.protocol = facts.protocol;
    this.capabilities = facts.capabilities;
    this.tls = facts.tls;
    this.#wire = wire;
    this.#limits = facts.limits;
    this.#rest();
    void wire.closed.then(() => clearTimeout(this.#idle));
  }

  /** Another message may be sent. False while one is, after the end, and when the server's MAILMAX is reached. */
  get usable(): boolean {
    const { maxTransactions } = this.capabilities;
    if (maxTransactions !== undefined && this.#transactions >= maxTransactions) return false;
    return !this.#busy && !this.#quitting && this.#wire.failure === undefined;
  }

  /** What ended the session, unless that was `quit`. */
  get failure(): SmtpFailure | undefined {
    return this.#quitting ? undefined : this.#wire.failure;
  }

  /** Messages begun on this connection. */
  get transactions(): number {
    return this.#transactions;
  }

  /** Resolves when the connection is closed; never rejects. */
  get closed(): Promise<void> {
    return this.#wire.closed;
  }

  /**
   * One transaction. Resolves with an outcome for each recipient, whatever happens to the connection; an abort cuts it (what was not answered is temporary).
   * Rejects with {@link SevenBitNeeded} before anything is sent, and when another message is on its way: those are mistakes of the caller.
   */
  async send(message: OutgoingMessage, { signal }: { signal: AbortSignal }): Promise<TransactionResult> {
    if (needsSevenBit(message, this.capabilities)) throw new SevenBitNeeded(this.host);
    const envelope = makeEnvelope(message, this.capabilities, this.tls);
    const result = await this.#work('mail', signal, () => {
      if (envelope.recipients.length > 0) this.#transactions++;
      return transact({
        wire: this.#wire,
        message,
        envelope,
        sevenBit: !this.capabilities.eightBitMime,
        lmtp: this.protocol === 'lmtp',
        pipelining: this.capabilities.pipelining,
        resetFirst: this.#leftOpen,
        host: this.host,
        limits: this.#limits,
      });
    });
    this.#leftOpen = envelope.recipients.length === 0 ? this.#leftOpen : result.leftOpen;
    return result;
  }

  /** RSET: shows that the server is still there. `send` does it by itself where it must. Rejects with an {@link SmtpFailure}. */
  async reset(signal: AbortSignal): Promise<void> {
    await this.#work('reset', signal, async () => {
      this.#wire.send('RSET\r\n');
      const reply = await this.#wire.reply('reset', this.#limits.hello);
      if (!isPositive(reply)) this.#wire.fail(new ProtocolFailure('reset', `${reply.code} to RSET`));
      if (this.#wire.failure) throw this.#wire.failure;
      this.#leftOpen = false;
    });
  }

  /** QUIT, and the connection is closed when it resolves. Takes at most `limits.quit` twice; never rejects. */
  async quit(): Promise<void> {
    clearTimeout(this.#idle);
    if (this.#wire.failure === undefined && !this.#quitting && !this.#busy) {
      this.#quitting = true;
      this.#wire.send('QUIT\r\n');
      try {
        await this.#wire.reply('quit', this.#limits.quit);
      } catch (error) {
        // A server that closes without a word has closed.
        if (!(error instanceof SmtpFailure)) throw error;
      }
      await this.#wire.close(this.#limits.quit);
      return;
    }
    if (!this.#quitting) this.destroy();
    await this.closed;
  }

  /** Cuts the connection: a message on its way becomes temporary, or `unknown`. */
  destroy(): void {
    clearTimeout(this.#idle);
    this.#wire.fail(new SessionAborted(this.#wire.stage));
  }

  async #work<T>(stage: Stage, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#busy) throw new Error('a session does one thing at a time');
    // It may have come to that by itself, just now: no mistake of the caller.
    if (this.#quitting) this.#wire.fail(new ConnectionLost(stage, 'the session has said QUIT'));
    this.#busy = true;
    clearTimeout(this.#idle);
    this.#wire.stage = stage;
    const abort = (): void => this.#wire.fail(new SessionAborted(this.#wire.stage));
    signal.addEventListener('abort', abort);
    if (signal.aborted) abort();
    try {
      return await work();
    } finally {
      signal.removeEventListener('abort', abort);
      this.#busy = false;
      this.#rest();
    }
  }

  #rest(): void {
    if (this.#wire.failure) return;
    this.#wire.stage = 'idle';
    // A connection that nobody uses holds a slot at the server, and a permit here.
    this.#idle = setTimeout(() => void this.quit(), this.#limits.idle);
  }
}
