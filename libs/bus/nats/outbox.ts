import type { MsgHdrs, NatsConnection } from '@nats-io/transport-node';

export interface OutgoingMessage {
  kind: 'event' | 'wake';
  subject: string;
  payload: string;
  headers: MsgHdrs;
}

/**
 * What was published and isn't on its way yet: while the server is away, while a connection settles, while the server takes more slowly than we
 * give. Bounded by number and bytes: past it the oldest goes. A wake-up that already waits adds nothing.
 */
export class Outbox {
  readonly #cap: number;
  readonly #onDrop: (kind: OutgoingMessage['kind']) => void;
  readonly #onRefused: (message: OutgoingMessage, error: unknown) => void;
  readonly #waiting = new Map<string, OutgoingMessage>();
  #waitingBytes = 0;
  #holds = 0;
  #count = 0;
  #window: SendWindow | undefined;

  constructor(options: {
    cap: number;
    onDrop: (kind: OutgoingMessage['kind']) => void;
    /** The client takes the message on no connection (larger than the server's max_payload). */
    onRefused: (message: OutgoingMessage, error: unknown) => void;
  }) {
    this.#cap = options.cap;
    this.#onDrop = options.onDrop;
    this.#onRefused = options.onRefused;
  }

  get length(): number {
    return this.#waiting.size;
  }

  push(message: OutgoingMessage): void {
    const key = message.kind === 'wake' ? `${message.subject} ${message.payload}` : String(this.#count++);
    if (this.#waiting.has(key)) return;
    this.#waiting.set(key, message);
    this.#waitingBytes += message.payload.length;
    while (this.#waiting.size > this.#cap || this.#waitingBytes > maxWaitingBytes) this.#dropOldest();
    this.#pump();
  }

  /** Nothing is sent until the returned function is called (once counts). */
  hold(): () => void {
    this.#holds++;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#holds--;
      this.#pump();
    };
  }

  connected(nc: NatsConnection): void {
    this.#window = new SendWindow(nc, () => this.#pump());
    this.#pump();
  }

  disconnected(): void {
    this.#window = undefined;
  }

  #pump(): void {
    if (this.#holds > 0) return;
    for (const [key, message] of this.#waiting) {
      if (this.#window === undefined || !this.#window.hasRoom()) return;
      this.#remove(key, message);
      try {
        this.#window.send(message);
      } catch (error) {
        this.#onRefused(message, error);
      }
    }
  }

  #dropOldest(): void {
    const oldest = this.#waiting.entries().next();
    if (oldest.done === true) return;
    const [key, message] = oldest.value;
    this.#remove(key, message);
    this.#onDrop(message.kind);
  }

  #remove(key: string, message: OutgoingMessage): void {
    this.#waiting.delete(key);
    this.#waitingBytes -= message.payload.length;
  }
}

/** In UTF-16 units: near enough. */
const maxWaitingBytes = 16 * 1024 * 1024;

/** Bounds what the client and the socket hold for a server that doesn't read: bytes count until a ping behind them is answered. */
class SendWindow {
  readonly #nc: NatsConnection;
  readonly #onRoom: () => void;
  #unconfirmedBytes = 0;
  #flushing = false;

  constructor(nc: NatsConnection, onRoom: () => void) {
    this.#nc = nc;
    this.#onRoom = onRoom;
  }

  hasRoom(): boolean {
    return this.#unconfirmedBytes < windowBytes;
  }

  send(message: OutgoingMessage): void {
    this.#nc.publish(message.subject, message.payload, { headers: message.headers });
    this.#unconfirmedBytes += message.payload.length;
    if (!this.#flushing) void this.#confirm();
  }

  /** One ping at a time. On a connection that is lost it may never end: the window goes with the connection. */
  async #confirm(): Promise<void> {
    this.#flushing = true;
    while (this.#unconfirmedBytes > 0) {
      // Lets all of this turn's messages go before the ping.
      await new Promise((resolve) => setImmediate(resolve));
      const sent = this.#unconfirmedBytes;
      try {
        await this.#nc.flush();
      } catch {
        return;
      }
      this.#unconfirmedBytes -= sent;
      this.#onRoom();
    }
    this.#flushing = false;
  }
}

const windowBytes = 4 * 1024 * 1024;
