import type { Way } from '../../../libs/bus/requests.ts';
import type { SmtpSession } from '../../../libs/smtp/client/session.ts';
import type { HeldPermit } from '../permits.ts';
import { deliveryLimits } from '../limits.ts';

export type Host = Way['hosts'][number];

/** An open connection with its permit, and how many messages it may take (limits of the group). */
export interface Connection {
  session: SmtpSession;
  permit: HeldPermit;
  /** What makes two connections the same: host, port, protocol, TLS policy and login. */
  key: string;
  group: string;
}

export const connectionKey = (host: Host, { protocol, route }: Pick<Way, 'protocol' | 'route'>): string =>
  JSON.stringify([protocol, route ?? null, host.name, host.port, host.tls]);

/** Whether another message may go over it (RFC 5321 §4.5.4.1 leaves that to us). */
export const takesMore = ({ session, permit }: Connection): boolean =>
  session.usable && session.transactions < permit.limits.perConnection && !permit.lost.aborted;

/**
 * All connections of the process: those at work, and those that are kept for a few seconds for the next batch (RFC 5321 §3.3 has no limit to the messages of one).
 * Each gives its permit back when it is closed, whoever closed it.
 */
export class Sessions {
  readonly #open = new Set<Connection>();
  /** Oldest first. */
  readonly #idle = new Map<Connection, NodeJS.Timeout>();
  readonly #idleMs: number;
  #closed = false;

  constructor(options: { idleMs?: number } = {}) {
    this.#idleMs = options.idleMs ?? deliveryLimits.idleMs;
  }

  get open(): number {
    return this.#open.size;
  }

  get idle(): number {
    return this.#idle.size;
  }

  /** Watches over a new connection: cut when its permit is lost, and the permit given back when it is closed. */
  opened(connection: Connection): void {
    const { session, permit } = connection;
    this.#open.add(connection);
    const cut = (): void => session.destroy();
    permit.lost.addEventListener('abort', cut, { once: true });
    if (permit.lost.aborted) cut();
    void session.closed.then(() => {
      permit.lost.removeEventListener('abort', cut);
      this.#forget(connection);
      this.#open.delete(connection);
      permit.release();
    });
  }

  /** An idle connection to this host at one of its addresses, the last used first. */
  take(key: string, addresses: readonly string[]): Connection | undefined {
    for (const connection of [...this.#idle.keys()].toReversed()) {
      if (connection.key !== key || !addresses.includes(connection.session.address) || !takesMore(connection)) continue;
      this.#forget(connection);
      return connection;
    }
    return undefined;
  }

  /** Keeps it for a while, or ends it with QUIT. */
  done(connection: Connection): void {
    if (this.#closed || !takesMore(connection)) {
      void connection.session.quit();
      return;
    }
    const oldest = this.#idle.size >= deliveryLimits.idleConnections ? this.#idle.keys().next().value : undefined;
    if (oldest !== undefined) void this.#end(oldest);
    this.#idle.set(
      connection,
      setTimeout(() => void this.#end(connection), this.#idleMs),
    );
  }

  /** Ends an idle connection of the group, for one that needs its permit; resolves when it is closed. False: there is none. */
  async giveUpIdle(group: string): Promise<boolean> {
    const connection = [...this.#idle.keys()].find((candidate) => candidate.group === group);
    if (connection === undefined) return false;
    await this.#end(connection);
    return true;
  }

  /** Ends idle ones, now and from now on. */
  async closeIdle(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#idle.keys()].map((connection) => this.#end(connection)));
  }

  /** Says QUIT to all, and cuts those that haven't closed in time; resolves when all are closed. */
  async close(limitMs: number): Promise<void> {
    const timer = setTimeout(() => {
      for (const { session } of this.#open) session.destroy();
    }, limitMs);
    await Promise.all([...this.#open].map(({ session }) => session.quit()));
    clearTimeout(timer);
  }

  async #end(connection: Connection): Promise<void> {
    this.#forget(connection);
    await connection.session.quit();
  }

  #forget(connection: Connection): void {
    clearTimeout(this.#idle.get(connection));
    this.#idle.delete(connection);
  }
}
