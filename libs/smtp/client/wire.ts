import type { Socket } from 'node:net';
import { ConnectionLost, ProtocolFailure, ReplyTimedOut, type SmtpFailure, type Stage } from './failures.ts';
import { ReplyMalformed, ReplyParser, type ServerReply } from './reply-parser.ts';

/**
 * Commands out, replies in, over one socket. It counts the replies that are owed: one that nobody asked for, anything that isn't a reply, and every end of the
 * connection make it fail. A failure is for ever, and destroys the socket; what had been answered before it can still be read.
 */
export class Wire {
  #socket: Socket;
  #parser = new ReplyParser();
  /** Whole replies that nobody has read yet, at most as many as were owed. */
  #replies: ServerReply[] = [];
  #owed = 0;
  #failure: SmtpFailure | undefined;
  /** Whoever waits for a reply, for room to write, or for the failure. */
  #wake: (() => void) | undefined;
  #stage: Stage;
  readonly #closed = Promise.withResolvers<void>();

  constructor(socket: Socket, stage: Stage) {
    this.#socket = socket;
    this.#stage = stage;
    this.#listen();
  }

  get failure(): SmtpFailure | undefined {
    return this.#failure;
  }

  /** What a failure is said to have hit. */
  get stage(): Stage {
    return this.#stage;
  }

  set stage(stage: Stage) {
    this.#stage = stage;
  }

  /** A reply is there to be read. */
  get answered(): boolean {
    return this.#replies.length > 0;
  }

  /** Resolves when the socket is closed, and never rejects. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Sends whole lines; so many replies are owed then. */
  send(lines: string, replies = 1): void {
    this.expect(replies);
    this.write(Buffer.from(lines, 'utf8'));
  }

  /** Says that so many more replies are owed. */
  expect(replies: number): void {
    this.#owed += replies;
  }

  /** False when the caller should wait for {@link room}. */
  write(bytes: Uint8Array): boolean {
    return this.#failure !== undefined || this.#socket.write(bytes);
  }

  /** The next reply in order. Rejects with the failure of the wire, also when there is none within the limit. */
  async reply(stage: Stage, limitMs: number): Promise<ServerReply> {
    this.#stage = stage;
    if (!this.answered) await this.#until(stage, limitMs, () => this.answered);
    const reply = this.#replies.shift();
    if (reply) return reply;
    throw this.#failure ?? new ProtocolFailure(stage, 'no reply');
  }

  /** Resolves when there is room to write, or a reply to read. Rejects like {@link reply}. */
  async room(stage: Stage, limitMs: number): Promise<void> {
    if (!this.#socket.writableNeedDrain) return;
    const drained = (): void => this.#wake?.();
    this.#socket.once('drain', drained);
    try {
      await this.#until(stage, limitMs, () => this.answered || !this.#socket.writableNeedDrain);
    } finally {
      this.#socket.off('drain', drained);
    }
    if (this.#failure && !this.answered) throw this.#failure;
  }

  /** What `work` gives, unless a reply comes first. Rejects with the failure of the wire, too. */
  async meanwhile<T>(work: Promise<T>): Promise<T | 'answered'> {
    const { promise, resolve, reject } = Promise.withResolvers<'answered'>();
    this.#wake = () => {
      if (this.answered) resolve('answered');
      else if (this.#failure) reject(this.#failure);
    };
    this.#wake();
    try {
      return await Promise.race([promise, work]);
    } finally {
      this.#wake = undefined;
    }
  }

  /** The first failure stays. */
  fail(failure: SmtpFailure): void {
    if (this.#failure) return;
    this.#failure = failure;
    this.#socket.destroy();
    this.#wake?.();
  }

  /** Ends our side, and resolves when the connection is closed; it is cut past the limit. */
  async close(limitMs: number): Promise<void> {
    const timer = setTimeout(() => this.#socket.destroy(), limitMs);
    this.#socket.end();
    await this.closed;
    clearTimeout(timer);
  }

  /** Takes the socket away for a handshake, when nothing but the replies that were owed has come over it (RFC 3207 §6). */
  release(): Socket {
    if (this.#parser.midReply || this.answered)
      this.fail(new ProtocolFailure('tls', 'something came before the TLS handshake'));
    if (this.#failure) throw this.#failure;
    this.#deafen();
    return this.#socket;
  }

  /** Goes on over another socket, with nothing known of before. */
  resume(socket: Socket): void {
    this.#socket = socket;
    this.#parser = new ReplyParser();
    this.#listen();
  }

  async #until(stage: Stage, limitMs: number, condition: () => boolean): Promise<void> {
    if (this.#failure || condition()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => this.fail(new ReplyTimedOut(stage, limitMs)), limitMs);
    this.#wake = () => {
      if (this.#failure || condition()) resolve();
    };
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#wake = undefined;
    }
  }

  #listen(): void {
    this.#socket.on('data', this.#onData).on('error', this.#onError).on('end', this.#onEnd).on('close', this.#onClose);
  }

  #deafen(): void {
    this.#socket.off('data', this.#onData).off('error', this.#onError).off('end', this.#onEnd);
    this.#socket.off('close', this.#onClose);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#failure) return;
    try {
      for (const reply of this.#parser.push(chunk)) this.#take(reply);
    } catch (error) {
      if (!(error instanceof ReplyMalformed)) throw error;
      this.fail(new ProtocolFailure(this.#stage, error.message));
    }
    this.#wake?.();
  };

  #take(reply: ServerReply): void {
    if (this.#failure) return;
    if (this.#owed > 0) {
      this.#owed--;
      this.#replies.push(reply);
    } else if (reply.code === 421) {
      // RFC 5321 §3.8: a server that must stop may say so at any time.
      this.fail(new ConnectionLost(this.#stage, `${reply.code} ${reply.text}`, { reply }));
    } else {
      this.fail(new ProtocolFailure(this.#stage, `a reply to no command: ${reply.code} ${reply.text.slice(0, 80)}`));
    }
  }

  readonly #onError = (error: Error): void => {
    this.fail(new ConnectionLost(this.#stage, 'code' in error ? String(error.code) : error.message, { cause: error }));
  };

  readonly #onEnd = (): void => {
    this.fail(new ConnectionLost(this.#stage, 'closed by the server'));
  };

  readonly #onClose = (): void => {
    this.fail(new ConnectionLost(this.#stage, 'closed'));
    this.#closed.resolve();
  };
}
