import { isIP, type Socket } from 'node:net';
import { authenticate, type Login } from './authenticate.ts';
import { type Capabilities, helo, parseCapabilities } from './capabilities.ts';
import { closed, dial } from './dial.ts';
import { ConnectionLost, ProtocolFailure, SessionAborted, SessionRefused, SmtpFailure, TlsFailed } from './failures.ts';
import { isNegative, isPositive } from './outcome.ts';
import { SmtpSession } from './session.ts';
import { defaultTimeLimits, type TimeLimits } from './time-limits.ts';
import { handshake, type SessionTls, type TlsPolicy } from './tls.ts';
import { Wire } from './wire.ts';

export interface SmtpConnectOptions {
  /** The server's name: for SNI, traces and outcomes. */
  host: string;
  /** The IP address to dial. */
  address: string;
  port: number;
  /** To bind; default: what the system chooses. */
  localAddress?: string;
  /** Our name for EHLO; an IP address is said as a literal. */
  heloName: string;
  protocol: 'smtp' | 'lmtp';
  tls: TlsPolicy;
  auth?: Login;
  /** In ms; default {@link defaultTimeLimits}. */
  timeLimits?: Partial<TimeLimits>;
  /** Gives up the opening; the session, once open, is not tied to it. */
  signal: AbortSignal;
}

/**
 * Opens a session (RFC 5321 §3.1, §3.2; RFC 2033; RFC 3207; RFC 8314): greeting, EHLO or HELO, TLS, AUTH. Rejects with an {@link SmtpFailure} after the connection is
 * closed: ConnectFailed, SessionRefused, TlsFailed, AuthFailed, or what else ends a session.
 */
export async function connectSmtp(options: SmtpConnectOptions): Promise<SmtpSession> {
  const { signal } = options;
  const limits = { ...defaultTimeLimits, ...options.timeLimits };
  const socket = await dial(options, limits.connect).catch((error: unknown) => {
    throw signal.aborted ? new SessionAborted('connect') : error;
  });
  const abort = (): void => {
    socket.destroy();
  };
  signal.addEventListener('abort', abort);
  try {
    return await new Opening(options, limits).open(socket);
  } catch (error) {
    await closed(socket);
    if (signal.aborted) throw new SessionAborted(error instanceof SmtpFailure ? error.stage : 'hello');
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

class Opening {
  readonly #options: SmtpConnectOptions;
  readonly #limits: TimeLimits;
  #tls: SessionTls = { encrypted: false, authorized: false };

  constructor(options: SmtpConnectOptions, limits: TimeLimits) {
    this.#options = options;
    this.#limits = limits;
  }

  async open(socket: Socket): Promise<SmtpSession> {
    const { tls, auth, address } = this.#options;
    const wire = new Wire(tls.mode === 'implicit' ? await this.#secure(socket) : socket, 'greeting');
    await this.#greeting(wire);
    let capabilities = await this.#hello(wire);
    if (await this.#startTls(wire, capabilities)) {
      // RFC 3207 §4.2: what was known before the handshake is forgotten.
      capabilities = await this.#hello(wire);
    }
    if (auth) {
      const connection = { encrypted: this.#tls.encrypted, address, capabilities, limitMs: this.#limits.hello };
      await authenticate(wire, auth, connection);
    }
    return new SmtpSession(wire, { ...this.#options, capabilities, tls: this.#tls, limits: this.#limits });
  }

  async #greeting(wire: Wire): Promise<void> {
    wire.expect(1);
    const reply = await wire.reply('greeting', this.#limits.greeting);
    if (isNegative(reply)) throw new SessionRefused('greeting', reply);
    if (reply.code !== 220) throw new ProtocolFailure('greeting', `a greeting with ${reply.code}`);
  }

  async #hello(wire: Wire): Promise<Capabilities> {
    const { heloName, protocol } = this.#options;
    const name = clientName(heloName);
    wire.send(`${protocol === 'lmtp' ? 'LHLO' : 'EHLO'} ${name}\r\n`);
    const ehlo = await wire.reply('hello', this.#limits.hello);
    if (isPositive(ehlo)) return parseCapabilities(ehlo);
    if (!isNegative(ehlo)) throw new ProtocolFailure('hello', `${ehlo.code} to EHLO`);
    // RFC 5321 §3.2: a server that doesn't know EHLO may know HELO.
    if (ehlo.code < 500 || protocol === 'lmtp') throw new SessionRefused('hello', ehlo);
    wire.send(`HELO ${name}\r\n`);
    const reply = await wire.reply('hello', this.#limits.hello);
    if (isNegative(reply)) throw new SessionRefused('hello', reply);
    if (!isPositive(reply)) throw new ProtocolFailure('hello', `${reply.code} to HELO`);
    return helo;
  }

  async #startTls(wire: Wire, capabilities: Capabilities): Promise<boolean> {
    const { mode } = this.#options.tls;
    if (mode === 'never' || mode === 'implicit') return false;
    if (!capabilities.startTls) {
      if (mode === 'required')
        throw new TlsFailed('starttls-not-supported', 'the server does not offer STARTTLS', { retryWithoutTls: false });
      this.#tls = { encrypted: false, authorized: false, resultType: 'starttls-not-supported' };
      return false;
    }
    wire.send('STARTTLS\r\n');
    const reply = await wire.reply('tls', this.#limits.hello);
    if (reply.code === 421) throw new ConnectionLost('tls', `${reply.code} ${reply.text}`, { reply });
    if (reply.code !== 220) {
      const why = `${reply.code} ${reply.text}`;
      throw new TlsFailed('starttls-not-supported', why, { retryWithoutTls: mode === 'opportunistic' });
    }
    wire.resume(await this.#secure(wire.release()));
    return true;
  }

  async #secure(socket: Socket): Promise<Socket> {
    const { host, tls: policy } = this.#options;
    const { secure, tls } = await handshake(socket, { host, policy, limitMs: this.#limits.hello, nowMs: Date.now() });
    this.#tls = tls;
    return secure;
  }
}

/** RFC 5321 §4.1.3 */
function clientName(name: string): string {
  const version = isIP(name);
  if (version === 0) return name;
  return version === 6 ? `[IPv6:${name}]` : `[${name}]`;
}
