import { isAscii, isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import { SMTPConnection, type SMTPConnectionOptions } from 'smtp-server/lib/smtp-connection';
import type { SMTPServer } from 'smtp-server';
import { type Reply, reply } from '../../libs/smtp/reply.ts';
import { conclude, type Origin } from './conclude.ts';
import type { IngressContext, ListenerKind } from './context.ts';
import { mailCommand } from './mail-command.ts';
import { rcptCommand } from './rcpt-command.ts';
import { noRoom, Reception } from './reception.ts';
import { type DataStep, SmtpInput } from './smtp-input.ts';
import { AuthenticatedUser, type Transaction } from './transaction.ts';

type Done = () => void;

/**
 * One SMTP or LMTP session on the connection class of smtp-server, which brings the sockets, STARTTLS, SASL, time-outs and the order of commands. Here are the
 * commands that decide about mail, the limits, and the replies with the enhanced status that each deserves.
 */
export class IngressConnection extends SMTPConnection {
  readonly #context: IngressContext;
  readonly #kind: ListenerKind;
  readonly #sessionTimer: NodeJS.Timeout;
  #transaction: Transaction | undefined;
  #reception: Reception | undefined;
  /** The data has ended and its reply is being found. */
  #concluding = false;
  #dataTimer: NodeJS.Timeout | undefined;
  /** Why the session ends at the next point where no message is under way. */
  #ending: Reply | undefined;
  #commands = 0;
  #badCommands = 0;
  #authFailures = 0;
  #messages = 0;

  constructor(
    server: SMTPServer,
    socket: Socket,
    options: SMTPConnectionOptions | undefined,
    kind: ListenerKind,
    context: IngressContext,
  ) {
    super(server, socket, options);
    this.#context = context;
    this.#kind = kind;
    this.#sessionTimer = setTimeout(
      () => this.end(reply(421, '4.4.2', 'Session too long, connect again')),
      context.limits.sessionTimeoutMs,
    );
  }

  /** The library waits 100 ms before every greeting; that is for strangers. */
  override init(): void {
    this._setListeners(() => {
      const delayMs = this.#kind === 'mx' ? this.#context.limits.greetingDelayMs : 0;
      setTimeout(() => this.connectionReady(), delayMs);
    });
  }

  /** Ends the session with a 421, after the message that is under way. */
  end(reason: Reply): void {
    this.#ending ??= reason;
    if (this.#reception || this._handlerPending) return;
    this.#reply(this.#ending);
  }

  /** Told of the socket below when TLS begins on it. */
  onUpgrade: (raw: Socket) => void = () => {};

  override upgrade(callback: Done, secureCallback?: Done): void {
    const raw = this._socket;
    super.upgrade(callback, secureCallback);
    this.onUpgrade(raw);
  }

  override _createParser(): SmtpInput {
    const input = new SmtpInput({ maxCommandLength: this._server.options.maxCommandLength });
    input.oncommand = (command, callback) => this._onCommand(command, callback);
    input.on('error', (error) => this.send(421, `4.5.2 ${error.message}`));
    // The client has sent its last octet and has all its replies.
    input.on('finish', () => {
      if (input === this._parser) this.close();
    });
    return input;
  }

  override _onCommand(command: Buffer, callback: Done = () => {}): void {
    const refusal = this._ready && !this._upgrading ? this.#lineRefusal(command) : undefined;
    if (!refusal) {
      super._onCommand(command, () => this.#commandDone(callback));
      return;
    }
    this.#reply(refusal);
    this._whenWritable(() => setImmediate(callback));
  }

  /**
   * The one place that writes. Unlike the library's it also answers a client that has closed its side, leaves the enhanced status to texts that begin with one,
   * and counts.
   */
  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    const lines = Array.isArray(data) ? data : [data ?? ''];
    const own = enhancedStatus.exec(lines[0] ?? '')?.[0];
    const status = own === undefined ? this._getEnhancedStatusCode(code, context) : '';
    let payload = '';
    for (const [n, line] of lines.entries()) {
      // A text with a line end in it would be taken for two replies.
      const text = line.replace(controlCharacters, ' ');
      payload += `${code}${n < lines.length - 1 ? '-' : ' '}${status === '' ? '' : `${status} `}${text}\r\n`;
    }
    if (code >= 400) this.#countRefusal(code, own ?? status);
    // While TLS is being negotiated nothing may be written in plain text.
    if (!this._upgrading && this._socket.writable) this._socket.write(payload);
    if (code === 421) this.close();
  }

  override _resetSession(): void {
    this.#transaction = undefined;
    super._resetSession();
  }

  override _onClose(): void {
    clearTimeout(this.#sessionTimer);
    clearTimeout(this.#dataTimer);
    // One whose data has ended is the store's by now, or will be: it gives its memory back itself.
    if (!this.#concluding) this.#reception?.release();
    super._onClose();
  }

  override handler_EHLO(command: Buffer, callback: Done): void {
    const { hostname, maxMessageBytes } = this.#context;
    this.#greet(command, callback, [
      `${hostname} greets you`,
      'PIPELINING',
      `SIZE ${maxMessageBytes}`,
      '8BITMIME',
      'SMTPUTF8',
      'ENHANCEDSTATUSCODES',
      'DSN',
      ...(this.secure ? [] : ['STARTTLS']),
      ...(this.#kind === 'submission' && this.secure && !this.#user ? ['AUTH PLAIN LOGIN'] : []),
    ]);
  }

  override handler_HELO(command: Buffer, callback: Done): void {
    this.#greet(command, callback, [`${this.#context.hostname} greets you`]);
  }

  override handler_MAIL(command: Buffer, callback: Done): void {
    this.#answer(this.#mail(command.toString()), callback);
  }

  override handler_RCPT(command: Buffer, callback: Done): void {
    if (this.#transaction) this.#answer(rcptCommand(command.toString(), this.#transaction, this.#context), callback);
    else this.#refuse(reply(503, '5.5.1', 'Send MAIL first'), callback);
  }

  override handler_DATA(command: Buffer, callback: Done): void {
    const refusal = this.#dataRefusal(command);
    if (refusal) return this.#refuse(refusal, callback);
    const reception = Reception.open(this.#context);
    if (!reception || !(this._parser instanceof SmtpInput)) return this.#refuse(noRoom, callback);
    this.#reception = reception;
    this.#dataTimer = setTimeout(
      () => this.#reply(reply(421, '4.4.2', 'The data takes too long')),
      this.#context.limits.dataTimeoutMs,
    );
    this._parser.startData((chunk) => this.#receive(chunk, reception));
    this.send(354, 'End data with <CR><LF>.<CR><LF>');
    callback();
  }

  override handler_AUTH(command: Buffer, callback: Done): void {
    // RFC 4954 §4, §6
    if (!this.secure) return this.#refuse(reply(538, '5.7.11', 'Encryption required: send STARTTLS first'), callback);
    if (this.#transaction)
      return this.#refuse(reply(503, '5.5.1', 'AUTH is not possible within a mail transaction'), callback);
    super.handler_AUTH(command, callback);
  }

  override handler_HELP(_command: Buffer, callback: Done): void {
    this.#refuse(reply(214, '2.0.0', 'EHLO MAIL RCPT DATA RSET NOOP VRFY HELP QUIT: see RFC 5321'), callback);
  }

  override handler_VRFY(_command: Buffer, callback: Done): void {
    // RFC 5321 §7.3: who is here is told by RCPT only.
    this.#refuse(reply(252, '2.5.0', 'Send mail to find out'), callback);
  }

  handler_EXPN(_command: Buffer, callback: Done): void {
    this.#refuse(reply(502, '5.5.1', 'EXPN is not implemented'), callback);
  }

  get #user(): AuthenticatedUser | undefined {
    const user: unknown = this.session.user;
    return user instanceof AuthenticatedUser ? user : undefined;
  }

  #greet(command: Buffer, callback: Done, lines: string[]): void {
    const [, name, ...more] = command.toString().trim().split(/\s+/);
    if (name === undefined || more.length > 0 || name.length > maxHeloLength) {
      return this.#refuse(reply(501, '5.5.4', 'Syntax: EHLO or HELO, and your host name'), callback);
    }
    this.hostNameAppearsAs = name;
    // RFC 5321 §4.1.4: as RSET.
    this._resetSession();
    this.send(250, lines, false);
    callback();
  }

  async #mail(line: string): Promise<Reply> {
    if (this.#transaction) return reply(503, '5.5.1', 'A mail transaction is under way, RSET ends it');
    if (this.#messages >= this.#context.limits.maxMessages)
      return reply(421, '4.7.0', 'Enough messages for one session, connect again');
    const { secure, remoteAddress } = this;
    const extended = this.openingCommand !== 'HELO';
    const state = { kind: this.#kind, secure, user: this.#user, remoteAddress, extended };
    const transaction = await mailCommand(line, state, this.#context);
    if ('code' in transaction) return transaction;
    this.#transaction = transaction;
    return senderAccepted;
  }

  #dataRefusal(command: Buffer): Reply | undefined {
    if (command.toString().trim().length > 'DATA'.length) return reply(501, '5.5.4', 'DATA takes no parameters');
    if (!this.#transaction) return reply(503, '5.5.1', 'Send MAIL and RCPT first');
    if (this.#transaction.recipients.length === 0) return reply(503, '5.5.1', 'No valid recipients');
    return this.#context.gate.open ? undefined : reply(451, '4.3.0', 'The store takes no mail now, try again later');
  }

  #receive(chunk: Buffer, reception: Reception): DataStep {
    const received = reception.take(chunk);
    if (received.state === 'ended') return { ...received, replied: this.#endOfData(reception) };
    if (received.state === 'more') return received;
    this.#reply(reply(552, '5.3.4', 'Message too large'));
    this.close();
    return { state: 'more' };
  }

  async #endOfData(reception: Reception): Promise<void> {
    const { clock, metrics, log } = this.#context;
    const startedMs = clock.monotonicMs();
    const transaction = this.#transaction;
    clearTimeout(this.#dataTimer);
    // The client waits for us now: its idle time doesn't count.
    this._handlerPending = true;
    this.#concluding = true;
    const answer = transaction
      ? await conclude(reception, transaction, this.#origin(), this.#context).catch((error) => this.#failure(error))
      : noRoom;
    this._handlerPending = false;
    this.#concluding = false;
    reception.release();
    this.#reception = undefined;
    if (answer.code === 250) {
      metrics.accepted.inc({ listener: this.#kind });
      metrics.acceptSeconds.observe({ listener: this.#kind }, (clock.monotonicMs() - startedMs) / 1000);
      this.#messages++;
      this.#commands = 0;
      this._unrecognizedCommands = 0;
    } else {
      log.info({ code: answer.code, status: answer.status, reason: answer.text, ...this.#who }, 'message refused');
    }
    // RFC 2033 §4.2: LMTP answers for each recipient.
    const replies = this.#kind === 'lmtp' ? (transaction?.recipients.length ?? 1) : 1;
    for (let n = 0; n < replies; n++) this.#reply(answer);
    this._resetSession();
    if (this.#ending) this.#reply(this.#ending);
  }

  #origin(): Origin {
    const user = this.#user;
    const { tlsOptions } = this;
    return {
      by: this.#kind,
      protocol: this.#kind === 'lmtp' ? 'LMTP' : this.openingCommand === 'HELO' ? 'SMTP' : 'ESMTP',
      helo: this.hostNameAppearsAs || '',
      remoteAddress: this.remoteAddress,
      ...(tlsOptions && { tls: `${tlsOptions.version} ${tlsOptions.name}` }),
      ...(user && { user }),
    };
  }

  get #who(): { remoteAddress: string; sender: string | undefined } {
    return { remoteAddress: this.remoteAddress, sender: this.#transaction?.reversePath };
  }

  /** Limits on lines of commands, before their meaning is looked at. */
  #lineRefusal(command: Buffer): Reply | undefined {
    const { limits } = this.#context;
    if (this.#ending) return this.#ending;
    if (++this.#commands > limits.maxCommands) return reply(421, '4.7.0', 'Too many commands without a message');
    if (this._nextHandler || authCommand.test(command.toString('latin1', 0, 5))) {
      // RFC 4954 §4
      return command.length > limits.maxAuthLineBytes
        ? reply(500, '5.5.6', 'The authentication exchange line is too long')
        : undefined;
    }
    if (command.length > limits.maxCommandBytes) return reply(500, '5.5.2', 'The command line is too long');
    if (controlCharacter.test(command.toString('latin1')))
      return reply(500, '5.5.2', 'The command has control characters');
    // RFC 6531 §3.3
    return isAscii(command) || isUtf8(command) ? undefined : reply(500, '5.5.2', 'The command is not valid UTF-8');
  }

  #countRefusal(code: number, status: string): void {
    this.#context.metrics.refused.inc({ listener: this.#kind, code: String(code), status });
    const { limits } = this.#context;
    if (code === 535 && ++this.#authFailures >= limits.maxAuthFailures)
      this.#ending ??= reply(421, '4.7.0', 'Too many failed logins');
    const bad = (code >= 500 && code <= 504) || code === 555;
    if (bad && ++this.#badCommands >= limits.maxBadCommands) this.#ending ??= reply(421, '4.7.0', 'Too many errors');
  }

  #commandDone(callback: Done): void {
    if (this.#ending && !this.#reception && !this._closing) this.#reply(this.#ending);
    callback();
  }

  #answer(work: Promise<Reply>, callback: Done): void {
    void work.catch((error: unknown) => this.#failure(error)).then((answer) => this.#refuse(answer, callback));
  }

  #refuse(answer: Reply, callback: Done): void {
    this.#reply(answer);
    callback();
  }

  #reply({ code, status, text }: Reply): void {
    this.send(code, `${status} ${text}`, false);
  }

  /** What wasn't foreseen, or the directory's absence. */
  #failure(error: unknown): Reply {
    this.#context.log.warn({ err: error, ...this.#who }, 'a command could not be answered');
    return reply(451, '4.3.0', 'Something we need is not reachable, try again later');
  }
}

const maxHeloLength = 255;
const enhancedStatus = /^[245]\.\d{1,3}\.\d{1,3}(?= )/;
const authCommand = /^auth(?: |$)/i;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for; a tab is white space
const controlCharacter = /[\x00-\x08\x0a-\x1f\x7f]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the same, and those of ISO 6429
const controlCharacters = /[\x00-\x1f\x7f-\x9f]/g;
const senderAccepted = reply(250, '2.1.0', 'Sender OK');
