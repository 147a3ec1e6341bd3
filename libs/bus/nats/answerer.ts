import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { Logger } from '../../ops/logger.ts';
import type { BusMetrics } from '../metrics.ts';
import { RequestFailed } from '../port.ts';
import type { ReplyOf, RequestName, RequestOf } from '../requests.ts';
import { checkReply, checkRequest } from '../schema-check.ts';
import { requestIdHeader, timeoutHeader } from './reply.ts';
import type { Reply } from './reply.ts';
import { decodeJson, header, inTraceOf, messageHeaders } from './wire.ts';

export interface AnswererOptions<N extends RequestName> {
  name: N;
  handler: (body: RequestOf<N>, signal: AbortSignal) => Promise<ReplyOf<N>>;
  connection: () => NatsConnection | undefined;
  log: Logger;
  metrics: BusMetrics;
  setAside: (name: string, problem: string) => void;
}

/** The answering side of one `respond`: requests run side by side, up to a cap, each until its asker's limit. */
export class Answerer<N extends RequestName> {
  readonly #options: AnswererOptions<N>;
  readonly #running = new Map<string, Running>();

  constructor(options: AnswererOptions<N>) {
    this.#options = options;
  }

  onRequest(msg: Msg): void {
    const { name, setAside } = this.#options;
    const id = header(msg, requestIdHeader);
    if (msg.reply === undefined || msg.reply === '') setAside(name, 'a request without a way to reply');
    else if (this.#running.size >= maxRunning)
      this.#reply(msg, this.#options.connection(), { unavailable: `too many requests wait for ${name}` });
    else if (id === undefined || this.#running.has(id)) {
      setAside(name, 'a request without an id of its own');
      this.#reply(msg, this.#options.connection(), failure(new RequestFailed('badRequest', `${name}: no request id`)));
    } else this.#begin(msg, id);
  }

  onCancel(msg: Msg): void {
    this.#running.get(header(msg, requestIdHeader) ?? '')?.abandoned.abort();
  }

  /**
   * The connection that the requests came by is lost. Their askers can't be answered over another one (a user may reply only where it was asked, and most have been
   * told by their own): who works for them stops, or what it takes for them, rows of a pull for one, would wait for nobody.
   */
  disconnected(): void {
    for (const { abandoned } of this.#running.values()) abandoned.abort();
  }

  /** Tells the handlers that nobody waits any more. Resolves when those whose askers still waited have ended. */
  async stop(): Promise<void> {
    const waited = [...this.#running.values()].filter(({ abandoned }) => !abandoned.signal.aborted);
    for (const { abandoned } of waited) abandoned.abort();
    await Promise.all(waited.map(({ done }) => done));
  }

  #begin(msg: Msg, id: string): void {
    const abandoned = new AbortController();
    const nc = this.#options.connection();
    const timer = setTimeout(() => abandoned.abort(), limitOf(msg));
    abandoned.signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
    const done = inTraceOf(msg, () => this.#run(msg, nc, abandoned.signal)).finally(() => {
      clearTimeout(timer);
      this.#running.delete(id);
    });
    this.#running.set(id, { abandoned, done });
  }

  async #run(msg: Msg, nc: NatsConnection | undefined, signal: AbortSignal): Promise<void> {
    const { name, handler } = this.#options;
    const question = checkRequest(name, decodeJson(msg.data));
    if (!question.ok) {
      this.#options.setAside(name, question.problem);
      this.#reply(msg, nc, failure(new RequestFailed('badRequest', `${name}: ${question.problem}`)));
      return;
    }
    try {
      const checked = checkReply(name, await handler(question.data, signal));
      if (!checked.ok) throw new RequestFailed('badReply', `${name}: ${checked.problem}`);
      this.#reply(msg, nc, { reply: checked.data });
    } catch (error) {
      if (error instanceof RequestFailed) this.#reply(msg, nc, failure(error));
      // Told to stop: if its asker is still there, another answerer may do it.
      else if (signal.aborted) this.#reply(msg, nc, { unavailable: `who answered ${name} has stopped` });
      else {
        this.#options.metrics.handlerErrors.inc({ name });
        this.#options.log.error({ err: error, name }, 'a handler of the bus has failed');
        this.#reply(msg, nc, failure(error));
      }
    }
  }

  /** Without the connection `nc` that it came by there is nobody to tell. */
  #reply(msg: Msg, nc: NatsConnection | undefined, reply: Reply): void {
    const { name, log, connection } = this.#options;
    if (nc === undefined || nc !== connection() || msg.reply === undefined) return;
    const payload = new TextEncoder().encode(JSON.stringify(reply));
    const mostBytes = (nc.info?.max_payload ?? Number.POSITIVE_INFINITY) - headerBytes;
    try {
      if (payload.length <= mostBytes) {
        nc.publish(msg.reply, payload, { headers: messageHeaders() });
        return;
      }
      const tooLarge = `${name}: the reply has ${payload.length} bytes, more than the max_payload of NATS takes (${mostBytes})`;
      nc.publish(msg.reply, JSON.stringify(failure(new RequestFailed('replyTooLarge', tooLarge))));
    } catch (error) {
      log.warn({ err: error, name }, 'a reply could not be sent: the connection has just closed');
    }
  }
}

interface Running {
  abandoned: AbortController;
  done: Promise<void>;
}

/** As the memory bus: past it the asker is told at once. */
const maxRunning = 4096;
/** Left for the headers of a reply. */
const headerBytes = 1024;
const longestLimitMs = 60 * 60_000;

/** How long the asker waits; one that doesn't say waits a minute. */
function limitOf(msg: Msg): number {
  const text = header(msg, timeoutHeader) ?? '';
  return /^\d{1,9}$/.test(text) ? Math.min(Number(text), longestLimitMs) : 60_000;
}

function failure(error: unknown): Reply {
  if (error instanceof RequestFailed) return { error: { code: error.code, message: error.message } };
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { error: { code: 'internal', message } };
}
