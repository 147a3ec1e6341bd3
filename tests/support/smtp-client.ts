import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A plain SMTP client that does exactly what it is told: for tests that need to see each reply, or to do wrong things. */
export class SmtpClient {
  readonly #socket: Socket;
  #buffer = '';
  #ended = false;
  readonly #waiting: { resolve: (reply: SmtpReply) => void; reject: (error: Error) => void }[] = [];
  readonly #replies: SmtpReply[] = [];
  #lines: string[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (chunk) => this.#read(String(chunk)));
    const gone = (): void => this.#end();
    socket.on('close', gone);
    socket.on('error', gone);
  }

  /** Connects and reads the greeting. */
  static async connect(port: number, host = '127.0.0.1'): Promise<{ client: SmtpClient; greeting: SmtpReply }> {
    const socket = connect({ port, host });
    await once(socket, 'connect');
    const client = new SmtpClient(socket);
    return { client, greeting: await client.reply() };
  }

  /** Speaks over a socket that is connected already, e.g. one with TLS. The greeting, when there is one, is the first reply. */
  static over(socket: Socket): SmtpClient {
    return new SmtpClient(socket);
  }

  get socket(): Socket {
    return this.#socket;
  }

  /** Sends bytes as they are. */
  write(bytes: string | Uint8Array): void {
    if (typeof bytes === 'string') this.#socket.write(bytes, 'latin1');
    else this.#socket.write(bytes);
  }

  /** Sends a line and reads its reply. */
  async command(line: string): Promise<SmtpReply> {
    this.write(`${line}\r\n`);
    return this.reply();
  }

  /** The next reply; rejects with SmtpGone when the connection has ended without one. */
  reply(): Promise<SmtpReply> {
    const ready = this.#replies.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    if (this.#ended) return Promise.reject(new SmtpGone());
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** MAIL, RCPT…, DATA, the message (dot-stuffed here; CRLF line ends) and the final reply. Stops at the first refusal of MAIL or DATA. */
  async send(from: string, to: readonly string[], message: string): Promise<{ rcpt: SmtpReply[]; final: SmtpReply }> {
    const mail = await this.command(`MAIL FROM:<${from}>`);
    if (mail.code !== 250) return { rcpt: [], final: mail };
    const rcpt: SmtpReply[] = [];
    for (const recipient of to) rcpt.push(await this.command(`RCPT TO:<${recipient}>`));
    const data = await this.command('DATA');
    if (data.code !== 354) return { rcpt, final: data };
    this.write(`${message.replace(/^\./gm, '..')}${message.endsWith('\r\n') ? '' : '\r\n'}.\r\n`);
    return { rcpt, final: await this.reply() };
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async quit(): Promise<void> {
    await this.command('QUIT').catch(() => undefined);
    this.destroy();
  }

  #read(text: string): void {
    this.#buffer += text;
    for (let end = this.#buffer.indexOf('\r\n'); end >= 0; end = this.#buffer.indexOf('\r\n')) {
      const line = this.#buffer.slice(0, end);
      this.#buffer = this.#buffer.slice(end + 2);
      this.#lines.push(line);
      if (line[3] === '-') continue;
      const reply = { code: Number(line.slice(0, 3)), text: this.#lines.join('\n') };
      this.#lines = [];
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#replies.push(reply);
      else waiting.resolve(reply);
    }
  }

  #end(): void {
    this.#ended = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new SmtpGone());
  }
}

export interface SmtpReply {
  code: number;
  /** All lines with their codes, joined by \n. */
  text: string;
}

/** The connection ended where a reply was due: what was asked may have been done or not. */
class SmtpGone extends Error {
  override readonly name = 'SmtpGone';
  constructor() {
    super('the connection ended without a reply');
  }
}
