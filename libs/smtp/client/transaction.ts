import type { Envelope, OutgoingMessage } from './envelope.ts';
import { ConnectionLost, ProtocolFailure, SessionAborted, SmtpFailure } from './failures.ts';
import { isNegative, isPositive, type RecipientOutcome, saidByFailure, saidByReply, saidByUs } from './outcome.ts';
import type { ServerReply } from './reply-parser.ts';
import { sendBody } from './send-body.ts';
import type { TimeLimits } from './time-limits.ts';
import type { Wire } from './wire.ts';

export interface TransactionRequest {
  wire: Wire;
  message: OutgoingMessage;
  envelope: Envelope;
  /** See OutgoingMessage.eightBit: the server takes nothing else. */
  sevenBit: boolean;
  lmtp: boolean;
  pipelining: boolean;
  /** An earlier transaction was left open. */
  resetFirst: boolean;
  host: string;
  limits: TimeLimits;
}

export interface TransactionResult {
  /** One for each recipient of the message, in its order. */
  outcomes: RecipientOutcome[];
  /** The server still holds an envelope: RSET before the next. */
  leftOpen: boolean;
  /** What reading the body threw, or a ContentUnfit: the recipients are temporary, and the reason is on our side. */
  bodyError?: unknown;
}

/**
 * MAIL, RCPT…, DATA, the message and the answers (RFC 5321 §3.3; RFC 2033 §4.2 for LMTP). Never rejects: what goes wrong is the recipients' outcome, and then the wire
 * has failed. A message of which no outcome is known after its final dot is `unknown`, not delivered.
 */
export async function transact(request: TransactionRequest): Promise<TransactionResult> {
  const transaction = new Transaction(request);
  const bodyError = await transaction.run();
  return {
    outcomes: transaction.outcomes(),
    leftOpen: transaction.leftOpen,
    ...(bodyError !== undefined && { bodyError }),
  };
}

type Said = Envelope['settled'][number]['said'];
type OutcomeStage = RecipientOutcome['stage'];

class Transaction {
  readonly #request: TransactionRequest;
  readonly #said = new Map<number, Said>();
  /** Indexes of recipients that the server took. */
  readonly #accepted: number[] = [];
  #stage: OutcomeStage = 'mail';
  #dotSent = false;
  leftOpen = false;

  constructor(request: TransactionRequest) {
    this.#request = request;
    for (const { index, said } of request.envelope.settled) this.#said.set(index, said);
  }

  outcomes(): RecipientOutcome[] {
    const { message, host } = this.#request;
    return message.recipients.map(({ address }, index) => ({
      address,
      // Each has been settled: this is for a mistake here to delay mail, not to lose it.
      ...(this.#said.get(index) ?? saidByUs('temporary', this.#stage, '4.5.0', 'no outcome')),
      host,
    }));
  }

  /** Gives what the body's source threw. */
  async run(): Promise<unknown> {
    const { wire, envelope } = this.#request;
    if (envelope.recipients.length === 0) return undefined;
    try {
      await this.#exchange();
      return undefined;
    } catch (error) {
      if (error instanceof SmtpFailure) {
        wire.fail(error);
        this.#settleRest(saidByFailure(error, this.#stage, this.#dotSent));
        return undefined;
      }
      // DATA can only be left by closing the connection: without the final dot the server has no message.
      wire.fail(new SessionAborted('data'));
      const text = `the message can't be read: ${error instanceof Error ? error.message : String(error)}`;
      this.#settleRest(saidByUs('temporary', 'data', '4.3.0', text));
      return error;
    }
  }

  async #exchange(): Promise<void> {
    const { wire, envelope, pipelining, resetFirst, limits } = this.#request;
    const rcpts = envelope.recipients;
    if (pipelining) {
      // RFC 2920 §3.1: all that doesn't depend on an answer, in one group that DATA ends.
      const group = [...(resetFirst ? ['RSET'] : []), envelope.mail, ...rcpts.map(({ line }) => line), 'DATA'];
      wire.send(`${group.join('\r\n')}\r\n`, group.length);
    }
    if (resetFirst) await this.#reset();
    const mail = await this.#ask(envelope.mail, 'mail', limits.mail);
    if (!isPositive(mail)) return this.#mailRefused(mail);
    this.leftOpen = true;
    for (const { index, line } of rcpts) {
      const rcpt = await this.#ask(line, 'rcpt', limits.rcpt);
      if (isPositive(rcpt)) this.#accepted.push(index);
      else this.#settle(index, this.#refusal(rcpt, 'rcpt'));
    }
    if (this.#accepted.length === 0 && !pipelining) return undefined;
    const data = await this.#ask('DATA', 'data', limits.data);
    if (data.code !== 354) return this.#settleRest(this.#refusal(data, 'data'));
    if (this.#accepted.length === 0) return this.#endEmptyData();
    return this.#sendMessage();
  }

  async #reset(): Promise<void> {
    const reply = await this.#ask('RSET', 'mail', this.#request.limits.hello);
    if (!isPositive(reply)) throw new ProtocolFailure('reset', `${reply.code} to RSET`);
    this.leftOpen = false;
  }

  /** The answers to what was sent along must still be read. */
  async #mailRefused(mail: ServerReply): Promise<void> {
    const { envelope, pipelining, limits } = this.#request;
    this.#settleRest(this.#refusal(mail, 'mail'));
    if (!pipelining) return undefined;
    let oneTaken = false;
    for (const { line } of envelope.recipients) {
      if (isPositive(await this.#ask(line, 'rcpt', limits.rcpt))) oneTaken = true;
    }
    const data = await this.#ask('DATA', 'data', limits.data);
    if (data.code !== 354) return undefined;
    // Somebody might get an empty message.
    if (oneTaken) throw new ProtocolFailure('data', '354 to DATA after MAIL was refused');
    return this.#endEmptyData();
  }

  /** RFC 2920 §3.1: a server may say 354 though it has taken no recipient; then only the dot is sent. */
  async #endEmptyData(): Promise<void> {
    const { wire, lmtp, limits } = this.#request;
    // RFC 2033 §4.2 has an answer for each recipient taken, here none: whether one comes can't be known.
    if (lmtp) throw new ProtocolFailure('data', '354 to DATA without a recipient');
    wire.send('.\r\n');
    await this.#reply('final', limits.final);
    this.leftOpen = false;
  }

  async #sendMessage(): Promise<void> {
    const { wire, lmtp, limits } = this.#request;
    wire.expect(lmtp ? this.#accepted.length : 1);
    const onDot = (): void => {
      this.#dotSent = true;
    };
    if ((await sendBody({ ...this.#request, onDot })) === 'answered')
      return this.#answeredEarly(await this.#reply('data', limits.final));
    for (const index of lmtp ? this.#accepted : this.#accepted.slice(0, 1)) {
      this.#stage = 'final';
      const reply = await wire.reply('final', limits.final);
      // A 421 here is an answer to the message like any other.
      if (!isPositive(reply) && !isNegative(reply)) throw new ProtocolFailure('final', `${reply.code} to the message`);
      if (lmtp) this.#settle(index, saidByReply(reply, 'final'));
      else this.#settleRest(saidByReply(reply, 'final'));
      if (reply.code === 421) throw new ConnectionLost('final', `${reply.code} ${reply.text}`);
    }
    this.leftOpen = false;
  }

  /** A refusal counts for the message; there is no way to the next command but a new connection. */
  #answeredEarly(reply: ServerReply): void {
    this.#settleRest(this.#refusal(reply, 'data'));
    throw new ConnectionLost('data', 'the server has answered before the end of the data', { reply });
  }

  /** Sends the line, unless it went with the group, and reads its answer. */
  #ask(line: string, stage: OutcomeStage, limitMs: number): Promise<ServerReply> {
    if (!this.#request.pipelining) this.#request.wire.send(`${line}\r\n`);
    return this.#reply(stage, limitMs);
  }

  async #reply(stage: OutcomeStage, limitMs: number): Promise<ServerReply> {
    this.#stage = stage;
    const reply = await this.#request.wire.reply(stage, limitMs);
    // RFC 5321 §3.8, §4.2.3: the server closes, and no other answer will come.
    if (reply.code === 421) throw new ConnectionLost(stage, `${reply.code} ${reply.text}`, { reply });
    return reply;
  }

  #refusal(reply: ServerReply, stage: OutcomeStage): Said {
    if (!isNegative(reply)) throw new ProtocolFailure(stage, `${reply.code} to ${stage.toUpperCase()}`);
    return saidByReply(reply, stage);
  }

  #settle(index: number, said: Said): void {
    if (!this.#said.has(index)) this.#said.set(index, said);
  }

  #settleRest(said: Said): void {
    for (const index of this.#request.message.recipients.keys()) this.#settle(index, said);
  }
}
