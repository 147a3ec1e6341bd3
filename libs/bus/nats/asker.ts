import type { Msg, NatsConnection } from '@nats-io/transport-node';
import { newId } from '../../runtime/ids.ts';
import { BusTimeout, BusUnavailable, RequestFailed } from '../port.ts';
import type { ReplyOf, RequestName, RequestOf } from '../requests.ts';
import { checkReply, checkRequest } from '../schema-check.ts';
import { openReply, requestIdHeader, timeoutHeader } from './reply.ts';
import { cancelSubject, inboxPrefix, requestSubject } from './subjects.ts';
import { messageHeaders } from './wire.ts';

export interface AskerOptions {
  service: string;
  connection: () => NatsConnection | undefined;
  setAside: (name: string, problem: string) => void;
}

interface Asked {
  name: RequestName;
  subject: string;
  resolve: (reply: unknown) => void;
  reject: (error: unknown) => void;
}

/** The asking side of requests: replies to all of them arrive on one inbox, told apart by its last token. */
export class Asker {
  readonly #options: AskerOptions;
  readonly #inbox: string;
  readonly #asked = new Map<string, Asked>();

  constructor(options: AskerOptions) {
    this.#options = options;
    this.#inbox = `${inboxPrefix(options.service)}.${newId()}`;
  }

  /** What the link has to open, with `onReply` behind it. */
  get inbox(): string {
    return `${this.#inbox}.*`;
  }

  get pending(): number {
    return this.#asked.size;
  }

  async ask<N extends RequestName>(
    name: N,
    body: RequestOf<N>,
    options: { timeoutMs: number; signal?: AbortSignal; to?: string },
  ): Promise<ReplyOf<N>> {
    options.signal?.throwIfAborted();
    const question = checkRequest(name, body);
    if (!question.ok) throw new RequestFailed('badRequest', `${name}: ${question.problem}`);
    const nc = this.#options.connection();
    if (nc === undefined) throw new BusUnavailable('NATS is not connected');
    if (this.#asked.size >= maxPending) throw new BusUnavailable('too many requests wait for their replies');
    const reply = await this.#send(nc, name, JSON.stringify(question.data), options);
    const checked = checkReply(name, reply);
    if (!checked.ok) throw new RequestFailed('badReply', `${name}: ${checked.problem}`);
    return checked.data;
  }

  onReply(msg: Msg): void {
    const id = msg.subject.slice(this.#inbox.length + 1);
    const asked = this.#asked.get(id);
    // Late, after its asker has gone.
    if (asked === undefined) return;
    if (msg.data.length === 0 && msg.headers?.code === 503) {
      asked.reject(new BusUnavailable(`nobody answers ${asked.name}`));
      return;
    }
    try {
      const opened = openReply(msg.data);
      if (opened !== undefined) asked.resolve(opened.reply);
      else {
        this.#options.setAside(asked.name, 'not a reply');
        asked.reject(new RequestFailed('badReply', `${asked.name}: what came is not a reply`));
      }
    } catch (error) {
      asked.reject(error);
    }
  }

  /** The server lets our user not publish there: nothing will come. */
  denied(subject: string): void {
    for (const asked of this.#asked.values()) {
      if (asked.subject === subject) asked.reject(new BusUnavailable(`this NATS user may not ask ${asked.name}`));
    }
  }

  /** The connection is lost: no reply will find us. */
  failAll(why: string): void {
    for (const asked of this.#asked.values()) asked.reject(new BusUnavailable(why));
  }

  /** Tells those who work for us, too. */
  close(): void {
    for (const [id, asked] of this.#asked) {
      this.#cancel(asked.name, id);
      asked.reject(new BusUnavailable('the bus is closed'));
    }
  }

  #send(
    nc: NatsConnection,
    name: RequestName,
    payload: string,
    options: { timeoutMs: number; signal?: AbortSignal; to?: string },
  ): Promise<unknown> {
    const id = newId();
    const subject = requestSubject(name, options.to);
    return new Promise((resolve, reject) => {
      const settled = <A>(finish: (argument: A) => void): ((argument: A) => void) => {
        return (argument) => {
          clearTimeout(timer);
          options.signal?.removeEventListener('abort', onAbort);
          this.#asked.delete(id);
          finish(argument);
        };
      };
      const asked: Asked = { name, subject, resolve: settled(resolve), reject: settled(reject) };
      const onAbort = (): void => {
        asked.reject(options.signal?.reason);
        this.#cancel(name, id);
      };
      const timer = setTimeout(
        () => asked.reject(new BusTimeout(`no reply to ${name} within ${options.timeoutMs} ms`)),
        options.timeoutMs,
      );
      options.signal?.addEventListener('abort', onAbort, { once: true });
      this.#asked.set(id, asked);
      try {
        const headers = messageHeaders({
          [requestIdHeader]: id,
          [timeoutHeader]: String(Math.max(1, Math.ceil(options.timeoutMs))),
        });
        nc.publish(subject, payload, { reply: `${this.#inbox}.${id}`, headers });
      } catch (error) {
        asked.reject(asFailure(name, error));
      }
    });
  }

  /** Who works on it stops: rows pulled for an asker that has gone would wait for their lease. */
  #cancel(name: RequestName, id: string): void {
    try {
      this.#options
        .connection()
        ?.publish(cancelSubject(name), '', { headers: messageHeaders({ [requestIdHeader]: id }) });
    } catch {
      // The connection has just closed, and the answerer's own limit ends it.
    }
  }
}

/** Of one process. Each holds its question until it is on the way, and a timer. */
const maxPending = 4096;

/** Publishing fails when the question is larger than the server takes, or when the connection closes at this moment. */
function asFailure(name: RequestName, error: unknown): Error {
  const text = error instanceof Error ? error.message : String(error);
  if (text.includes('max_payload'))
    return new RequestFailed('tooLarge', `${name}: larger than the max_payload of NATS`);
  return new BusUnavailable(`${name} can't be sent: ${text}`);
}
