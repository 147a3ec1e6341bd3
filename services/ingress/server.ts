import type { Server, Socket } from 'node:net';
import { SMTPServer } from 'smtp-server';
import type { SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection';
import { reply } from '../../libs/smtp/reply.ts';
import type { Admission, AdmissionRefusal } from './admission.ts';
import { authenticate, AuthRefused } from './authentication.ts';
import { IngressConnection } from './connection.ts';
import type { IngressContext, ListenerKind } from './context.ts';

export interface ListenerOptions {
  kind: ListenerKind;
  /** TLS from the first octet (RFC 8314 §3). */
  implicitTls: boolean;
  certificate: { cert: string | Buffer; key: string | Buffer };
  admission: Admission;
  /** Whether a client is a proxy that says in a PROXY line (version 1) whom it speaks for. */
  isProxy: (address: string) => boolean;
}

/** One listener: the server of smtp-server, which refuses connections past the limits before any work, and drains. */
export class IngressServer extends SMTPServer {
  readonly #options: ListenerOptions;
  readonly #context: IngressContext;
  /** Open sockets, and what to do when each is gone. */
  readonly #sockets = new Map<Socket, (() => void)[]>();

  constructor(options: ListenerOptions, context: IngressContext) {
    const { kind, certificate } = options;
    super({
      ...certificate,
      minVersion: 'TLSv1.2',
      secure: options.implicitTls,
      lmtp: kind === 'lmtp',
      name: context.hostname,
      banner: 'Waypost',
      logger: false,
      disableReverseLookup: true,
      disabledCommands: ['WIZ', 'SHELL', 'KILL', 'XCLIENT', 'XFORWARD', ...(kind === 'submission' ? [] : ['AUTH'])],
      authMethods: ['PLAIN', 'LOGIN'],
      // MAIL says itself what is missing, see mail-command.ts.
      authOptional: true,
      hideENHANCEDSTATUSCODES: false,
      maxCommandLength: context.limits.maxAuthLineBytes + 2,
      socketTimeout: context.limits.idleTimeoutMs,
      // A client that has closed its side still gets its replies.
      allowHalfOpen: true,
    });
    this.#options = options;
    this.#context = context;
    // Clients that go away in the middle; nobody else listens, and without a listener the process would end.
    this.on('error', (error) => context.log.debug({ err: error, listener: kind }, 'a connection failed'));
    this.onAuth = (auth, session, callback) => {
      authenticate(auth, session, context).then(
        (response) => callback(null, response),
        (error: unknown) => callback(error instanceof Error ? error : new AuthRefused(454, '4.7.0 Try again later')),
      );
    };
  }

  get netServer(): Server {
    return this.server;
  }

  /** Called for each socket, before a PROXY line, TLS or a greeting. */
  override _acceptSocket(socket: Socket, handshake: boolean): (() => void) | false {
    const { admission, kind } = this.#options;
    this.#sockets.set(socket, []);
    this.watch(socket);
    const refused = admission.enter();
    if (refused) return this.#refuse(socket, refused, handshake);
    this.#whenGone(socket, () => admission.leave());
    if (!this._expectsProxyHeader(socket) && !this.#enterNetwork(socket, socket.remoteAddress ?? '')) {
      return this.#refuse(socket, 'network', handshake);
    }
    const { connections } = this.#context.metrics;
    connections.inc({ listener: kind });
    this.#whenGone(socket, () => connections.dec({ listener: kind }));
    return super._acceptSocket(socket, handshake);
  }

  override _expectsProxyHeader(socket: Socket): boolean {
    return this.#options.isProxy(socket.remoteAddress ?? '');
  }

  /** Learns when the socket is gone; again after STARTTLS, for which the library takes all listeners off. */
  watch(socket: Socket): void {
    socket.once('close', () => {
      for (const gone of this.#sockets.get(socket) ?? []) gone();
      this.#sockets.delete(socket);
    });
  }

  override connect(socket: Socket, options?: SMTPConnectionOptions | null): void {
    const proxied = options?.remoteAddress;
    if (proxied !== undefined && !this.#enterNetwork(socket, proxied)) {
      this.#refuse(socket, 'network', false);
      return;
    }
    const session = new IngressConnection(this, socket, options ?? undefined, this.#options.kind, this.#context);
    this.connections.add(session);
    session.onUpgrade = (raw) => this.watch(raw);
    session.on('error', (error: Error) => this._onError(error));
    session.init();
  }

  /** Takes no new connection, ends sessions (421, those with a message under way after it), and resolves when all are gone or the time is up. */
  async drain(graceMs: number): Promise<void> {
    const { clock } = this.#context;
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const pending of this._pendingSockets.values()) pending.destroy();
    for (const session of this.connections) if (session instanceof IngressConnection) session.end(shuttingDown);
    const timeUp = new AbortController();
    await Promise.race([closed, clock.sleep(graceMs, timeUp.signal)]);
    timeUp.abort();
    for (const socket of this.#sockets.keys()) socket.destroy();
    await closed;
  }

  #enterNetwork(socket: Socket, address: string): boolean {
    const leave = this.#options.admission.enterNetwork(address);
    if (leave) this.#whenGone(socket, leave);
    return leave !== undefined;
  }

  /** `socket` as it was accepted, or the TLS above it. */
  #whenGone(socket: Socket, action: () => void): void {
    const actions = this.#sockets.get(socket);
    if (actions) actions.push(action);
    else socket.once('close', action);
  }

  #refuse(socket: Socket, reason: AdmissionRefusal, silently: boolean): false {
    this.#context.metrics.connectionsRefused.inc({ listener: this.#options.kind, reason });
    socket.on('error', () => {});
    if (silently) {
      // Nothing can be said before the TLS handshake, and the handshake is the work to be saved.
      socket.destroy();
      return false;
    }
    socket.end(`421 4.7.0 ${this.#context.hostname} ${refusalTexts[reason]}\r\n`);
    socket.resume();
    setTimeout(() => socket.destroy(), lingerMs).unref();
    return false;
  }
}

const shuttingDown = reply(421, '4.3.2', 'The server is shutting down, connect again');

/** For the 421 to arrive. */
const lingerMs = 1000;

const refusalTexts = {
  total: 'Too many connections, try again later',
  network: 'Too many connections from your network, try again later',
} as const;
