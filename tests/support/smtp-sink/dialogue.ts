import type { Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { type Answer, goodExtensions, type Moment, type Scripted, type SinkScript } from './script.ts';

export interface SinkMessage {
  connection: number;
  helo: string;
  secure: boolean;
  user: string | undefined;
  /** The command lines as they came. */
  mail: string;
  rcpt: string[];
  /** Their paths without brackets. */
  mailFrom: string;
  recipients: string[];
  /** As received, without the dots that were put in and without the final one. */
  raw: Buffer;
}

export interface SinkConnection {
  number: number;
  /** Command lines, without the message and what follows AUTH's. */
  commands: string[];
  /** What came, decrypted, octet for octet; nothing when the script says keep: false. */
  received: Buffer[];
  secure: boolean;
  open: boolean;
}

interface DialogueOptions {
  number: number;
  script: () => SinkScript;
  onTransaction: () => void;
  onMessage: (message: SinkMessage) => void;
  onDelivered: () => void;
}

const END = Buffer.from('\r\n.\r\n');

/** One connection: takes one command after the other and answers by the script. */
export class SinkDialogue {
  readonly connection: SinkConnection;
  readonly #options: DialogueOptions;
  #socket: Socket;
  #input: Buffer = Buffer.alloc(0);
  #receivedBytes = 0;
  #working = false;
  #mode: 'commands' | 'data' | 'handshake' = 'commands';
  #early = false;
  #helo = '';
  #user: string | undefined;
  #mail = '';
  #rcpt: string[] = [];
  #transactions = 0;
  /** Of the message that is coming, with a CRLF in front, and its last octets. */
  #content: Buffer[] = [];
  #tail: Buffer = Buffer.alloc(0);
  #contentBytes = 0;

  constructor(socket: Socket, options: DialogueOptions) {
    this.#socket = socket;
    this.#options = options;
    this.connection = { number: options.number, commands: [], received: [], secure: false, open: true };
    socket
      .on('error', () => undefined)
      .on('close', () => {
        this.connection.open = false;
      });
  }

  begin(): void {
    if (this.#script.tls?.mode === 'implicit') this.#startTls(() => void this.#greet());
    else {
      this.#listen();
      void this.#greet();
    }
  }

  get #script(): SinkScript {
    return this.#options.script();
  }

  #listen(): void {
    this.#socket.on('data', (chunk: Buffer) => {
      const limit = this.#script.dropAfterBytes ?? Infinity;
      const taken = chunk.subarray(0, Math.max(0, limit - this.#receivedBytes));
      this.#receivedBytes += taken.length;
      if (this.#script.keep !== false) this.connection.received.push(taken);
      this.#input = this.#input.length === 0 ? taken : Buffer.concat([this.#input, taken]);
      const worked = this.#work();
      if (this.#receivedBytes >= limit) void worked.then(() => this.#socket.destroy());
    });
  }

  async #greet(): Promise<void> {
    this.#working = true;
    await this.#say(this.#answer(this.#script.greeting, '', '220 sink.test ESMTP'));
    this.#working = false;
    await this.#work();
  }

  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    while (!this.#socket.destroyed && this.#mode !== 'handshake') {
      if (this.#mode === 'data') {
        if (!(await this.#data())) break;
        continue;
      }
      const end = this.#input.indexOf('\r\n');
      if (end === -1) break;
      const line = this.#input.toString('utf8', 0, end);
      this.#input = this.#input.subarray(end + 2);
      await this.#command(line);
    }
    this.#working = false;
  }

  async #command(line: string): Promise<void> {
    const { script } = this.#options;
    this.connection.commands.push(line);
    const verb = (/^[A-Za-z]+/.exec(line)?.[0] ?? '').toUpperCase();
    if (verb === 'EHLO' || verb === 'LHLO') return this.#hello(line);
    if (verb === 'HELO')
      return this.#greeted(line, await this.#say(this.#answer(script().helo, line, '250 sink.test')));
    if (verb === 'STARTTLS') return this.#upgrade(line);
    if (verb === 'AUTH') return this.#login(line);
    if (verb === 'MAIL') return this.#mailFrom(line);
    if (verb === 'RCPT') return this.#rcptTo(line);
    if (verb === 'DATA') return this.#startData(line);
    if (verb === 'RSET') {
      if ((await this.#say(this.#answer(script().rset, line, '250 2.0.0 reset'))) === 2) this.#reset();
      return undefined;
    }
    if (verb === 'QUIT') {
      await this.#say(this.#answer(script().quit, line, { reply: '221 2.0.0 bye', thenClose: true }));
      return undefined;
    }
    await this.#say(this.#answer(undefined, line, '500 5.5.1 unknown command'));
    return undefined;
  }

  async #hello(line: string): Promise<void> {
    const { tls, login, extensions = goodExtensions, protocol } = this.#script;
    const known = line.startsWith(protocol === 'lmtp' ? 'LHLO' : 'EHLO');
    const lines = ['sink.test', ...extensions];
    if (tls?.mode === 'starttls' && !this.connection.secure) lines.push('STARTTLS');
    if (login) lines.push('AUTH PLAIN LOGIN');
    const list = lines.map((text, at) => `250${at === lines.length - 1 ? ' ' : '-'}${text}`).join('\r\n');
    this.#greeted(line, await this.#say(this.#answer(this.#script.ehlo, line, known ? list : '500 5.5.1 not here')));
  }

  #greeted(line: string, said: number): void {
    if (said === 2) this.#helo = line;
  }

  async #upgrade(line: string): Promise<void> {
    if ((await this.#say(this.#answer(this.#script.startTls, line, '220 2.0.0 go'))) !== 2) return;
    this.#mode = 'handshake';
    this.#socket.removeAllListeners('data');
    this.#startTls(() => {
      this.#mode = 'commands';
      this.#helo = '';
    });
  }

  #startTls(then: () => void): void {
    const { tls, handshake } = this.#script;
    if (handshake === 'close') this.#socket.destroy();
    if (handshake === 'garbage') this.#socket.write('this is no TLS record at all\r\n');
    if (handshake !== undefined || !tls) return;
    const { cert, key, minVersion, maxVersion } = tls;
    const context = createSecureContext({
      cert,
      key,
      ...(minVersion && { minVersion }),
      ...(maxVersion && { maxVersion }),
    });
    const secure = new TLSSocket(this.#socket, { isServer: true, secureContext: context });
    secure.on('error', () => this.#socket.destroy());
    secure.once('secure', () => {
      this.#socket = secure;
      this.#input = Buffer.alloc(0);
      this.connection.secure = true;
      this.#listen();
      then();
    });
  }

  async #login(line: string): Promise<void> {
    const { login } = this.#script;
    let given: string[] = [];
    if (/^AUTH PLAIN /i.test(line)) given = decoded(line.slice('AUTH PLAIN '.length)).split('\0').slice(1);
    else {
      this.#write('334 VXNlcm5hbWU6\r\n');
      const user = decoded(await this.#nextLine());
      this.#write('334 UGFzc3dvcmQ6\r\n');
      given = [user, decoded(await this.#nextLine())];
    }
    const right = login !== undefined && given[0] === login.user && given[1] === login.password;
    const said = await this.#say(this.#answer(this.#script.auth, line, right ? '235 2.7.0 welcome' : '535 5.7.8 no'));
    if (said === 2) this.#user = given[0];
  }

  /** While a command is at work nobody else takes lines. */
  async #nextLine(): Promise<string> {
    for (;;) {
      const end = this.#input.indexOf('\r\n');
      if (end !== -1) {
        const line = this.#input.toString('latin1', 0, end);
        this.#input = this.#input.subarray(end + 2);
        return line;
      }
      if (this.#socket.destroyed) return '';
      await new Promise((resolve) => this.#socket.once('data', resolve).once('close', resolve));
    }
  }

  async #mailFrom(line: string): Promise<void> {
    this.#transactions++;
    const nested = this.#mail !== '' ? '503 5.5.1 nested MAIL' : '250 2.1.0 ok';
    if (
      (await this.#say(this.#answer(this.#script.mail, line, this.#helo === '' ? '503 5.5.1 EHLO first' : nested))) !==
      2
    )
      return;
    this.#mail = line;
    this.#options.onTransaction();
  }

  async #rcptTo(line: string): Promise<void> {
    if (this.#mail === '' && this.#script.rcpt === undefined) return void (await this.#say('503 5.5.1 MAIL first'));
    if ((await this.#say(this.#answer(this.#script.rcpt, line, '250 2.1.5 ok', pathOf(line)))) === 2)
      this.#rcpt.push(line);
    return undefined;
  }

  async #startData(line: string): Promise<void> {
    const usual = this.#rcpt.length === 0 ? '554 5.5.1 no valid recipients' : '354 go';
    if ((await this.#say(this.#answer(this.#script.data, line, usual))) !== 3) return;
    this.#mode = 'data';
    this.#early = false;
    // So that an empty message's dot is found like any other.
    this.#content = [Buffer.from('\r\n')];
    this.#tail = Buffer.from('\r\n');
    this.#contentBytes = 0;
    const { readAfter } = this.#script;
    if (!readAfter) return;
    this.#socket.pause();
    await readAfter;
    this.#socket.resume();
  }

  /** False while the end of the message has not come. */
  async #data(): Promise<boolean> {
    const { early } = this.#script;
    const joined = Buffer.concat([this.#tail, this.#input]);
    const found = joined.indexOf(END);
    const taken = found === -1 ? this.#input.length : found + END.length - this.#tail.length;
    this.#content.push(this.#input.subarray(0, taken));
    this.#contentBytes += taken;
    this.#input = this.#input.subarray(taken);
    this.#tail = joined.subarray(-4);
    if (early && !this.#early && this.#contentBytes >= early.afterBytes) {
      this.#early = true;
      await this.#say(early.answer);
    }
    if (found === -1) return this.#input.length > 0;
    const wire = Buffer.concat(this.#content).subarray(0, -3);
    const raw = wire.toString('latin1').replaceAll('\r\n.', '\r\n').slice(2);
    this.#mode = 'commands';
    const recipients = this.#rcpt.map(pathOf);
    this.#options.onMessage({
      connection: this.connection.number,
      helo: this.#helo,
      secure: this.connection.secure,
      user: this.#user,
      mail: this.#mail,
      rcpt: this.#rcpt,
      mailFrom: pathOf(this.#mail),
      recipients,
      raw: Buffer.from(raw, 'latin1'),
    });
    const replies = this.#script.protocol === 'lmtp' ? recipients : [recipients.join(',')];
    for (const recipient of replies) {
      if (this.#early && early) break;
      if ((await this.#say(this.#answer(this.#script.final, '', '250 2.0.0 queued', recipient))) === 2)
        this.#options.onDelivered();
    }
    this.#reset();
    return true;
  }

  #reset(): void {
    this.#mail = '';
    this.#rcpt = [];
  }

  #answer(scripted: Scripted | undefined, line: string, usual: Answer, recipient = ''): Answer {
    const moment: Moment = {
      connection: this.connection.number,
      transaction: this.#transactions,
      line,
      recipient,
      secure: this.connection.secure,
    };
    return (typeof scripted === 'function' ? scripted(moment) : scripted) ?? usual;
  }

  /** Gives the first digit of what was said, 0 for what has none. */
  async #say(answer: Answer): Promise<number> {
    if (typeof answer === 'object' && 'drop' in answer) {
      this.#socket.destroy();
      return 0;
    }
    if (typeof answer === 'object' && 'silence' in answer)
      return new Promise((resolve) => this.#socket.once('close', () => resolve(0)));
    if (typeof answer === 'object' && 'bytes' in answer) {
      const bytes = typeof answer.bytes === 'string' ? Buffer.from(answer.bytes, 'latin1') : answer.bytes;
      this.#write(bytes);
      return Number(bytes.toString('latin1', 0, 1)) || 0;
    }
    const { reply, thenClose = false, ...said } = typeof answer === 'string' ? { reply: answer } : answer;
    const delayMs = said.delayMs ?? this.#script.delayMs;
    if (delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, delayMs));
    this.#write(`${reply}\r\n`);
    if (thenClose) this.#socket.end();
    return Number(reply[0]) || 0;
  }

  #write(bytes: string | Buffer): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }
}

const pathOf = (line: string): string => /<([^>]*)>/.exec(line)?.[1] ?? '';
const decoded = (text: string): string => Buffer.from(text, 'base64').toString('utf8');
