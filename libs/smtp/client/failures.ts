import type { ServerReply } from './reply-parser.ts';

/** Where in the exchange something was. `idle`: between transactions. */
export type Stage =
  | 'connect'
  | 'greeting'
  | 'hello'
  | 'tls'
  | 'auth'
  | 'mail'
  | 'rcpt'
  | 'data'
  | 'final'
  | 'reset'
  | 'idle'
  | 'quit';

/** RFC 8460 §4.3, the types that a connection can have. */
export type TlsResultType =
  | 'starttls-not-supported'
  | 'certificate-host-mismatch'
  | 'certificate-expired'
  | 'certificate-not-trusted'
  | 'tlsa-invalid'
  | 'dane-required'
  | 'validation-failure';

/** What ends a session, or keeps one from beginning. All but {@link SessionRefused} and {@link AuthFailed} say nothing of the mail: try again. */
export abstract class SmtpFailure extends Error {
  readonly stage: Stage;

  constructor(stage: Stage, message: string, options?: ErrorOptions) {
    super(message, options);
    this.stage = stage;
  }
}

/** No TCP connection: refused, unreachable, or none within the limit. */
export class ConnectFailed extends SmtpFailure {
  override readonly name = 'ConnectFailed';
  /** `ECONNREFUSED`, `ETIMEDOUT`… */
  readonly code: string;

  constructor(code: string, cause?: unknown) {
    super('connect', `no connection: ${code}`, { cause });
    this.code = code;
  }
}

/** The connection ended where it should not have. `reply` is the last word of a server that said 421 unasked. */
export class ConnectionLost extends SmtpFailure {
  override readonly name = 'ConnectionLost';
  readonly reply: ServerReply | undefined;

  constructor(stage: Stage, why: string, options: { cause?: unknown; reply?: ServerReply } = {}) {
    super(stage, `the connection was lost: ${why}`, { cause: options.cause });
    this.reply = options.reply;
  }
}

/** RFC 5321 §4.5.3.2: the server has not answered within the limit. */
export class ReplyTimedOut extends SmtpFailure {
  override readonly name = 'ReplyTimedOut';
  readonly limitMs: number;

  constructor(stage: Stage, limitMs: number) {
    super(stage, `no answer within ${limitMs} ms`);
    this.limitMs = limitMs;
  }
}

/** What the server says is not SMTP, or not an answer to what it was asked. */
export class ProtocolFailure extends SmtpFailure {
  override readonly name = 'ProtocolFailure';

  constructor(stage: Stage, what: string) {
    super(stage, `not an SMTP dialogue: ${what}`);
  }
}

/** The caller's signal. */
export class SessionAborted extends SmtpFailure {
  override readonly name = 'SessionAborted';

  constructor(stage: Stage) {
    super(stage, 'given up by us');
  }
}

/** The server turned us away at the greeting or at EHLO and HELO: what to make of a 5xx there is the caller's to say (another MX may be better). */
export class SessionRefused extends SmtpFailure {
  override readonly name = 'SessionRefused';
  readonly reply: ServerReply;

  constructor(stage: 'greeting' | 'hello', reply: ServerReply) {
    super(stage, `refused: ${reply.code} ${reply.text}`);
    this.reply = reply;
  }
}

/** No TLS where it was asked for. With `retryWithoutTls` the policy allows another try in plain text, on a new connection. */
export class TlsFailed extends SmtpFailure {
  override readonly name = 'TlsFailed';
  readonly resultType: TlsResultType;
  readonly retryWithoutTls: boolean;

  constructor(resultType: TlsResultType, why: string, options: { retryWithoutTls: boolean; cause?: unknown }) {
    super('tls', `TLS failed (${resultType}): ${why}`, { cause: options.cause });
    this.resultType = resultType;
    this.retryWithoutTls = options.retryWithoutTls;
  }
}

/** We could not log in; `reply` where the server said so. A matter of settings: no reason to bounce mail. */
export class AuthFailed extends SmtpFailure {
  override readonly name = 'AuthFailed';
  readonly reply: ServerReply | undefined;

  constructor(why: string, reply?: ServerReply) {
    super('auth', `login failed: ${why}`);
    this.reply = reply;
  }
}
