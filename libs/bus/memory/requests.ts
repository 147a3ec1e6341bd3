import { BusTimeout, BusUnavailable, RequestFailed } from '../port.ts';
import type { Subscription } from '../port.ts';
import type { ReplyOf, RequestName, RequestOf } from '../requests.ts';
import { checkReply, checkRequest } from '../schema-check.ts';

type Answerer = {
  as: string | undefined;
  pending: number;
  /** Checks the body, runs the handler, checks the reply. */
  run: (body: unknown, signal: AbortSignal) => Promise<unknown>;
};

/** Who answers what. Requests run side by side (a `queue.pull` waits for rows), up to a cap for each answerer. */
export class RequestTable {
  readonly #answerers = new Map<RequestName, Answerer[]>();
  readonly #closing = new AbortController();

  async ask<N extends RequestName>(
    name: N,
    body: RequestOf<N>,
    options: { timeoutMs: number; signal?: AbortSignal; to?: string },
  ): Promise<ReplyOf<N>> {
    options.signal?.throwIfAborted();
    const answerer = this.#choose(name, options.to);
    const abandoned = new AbortController();
    answerer.pending++;
    try {
      const reply = await firstOf(answerer.run(body, abandoned.signal), name, this.#closing.signal, options);
      const checked = checkReply(name, reply);
      if (!checked.ok) throw new RequestFailed('badReply', `${name}: ${checked.problem}`);
      return checked.data;
    } finally {
      answerer.pending--;
      abandoned.abort();
    }
  }

  answer<N extends RequestName>(
    name: N,
    handler: (body: RequestOf<N>, signal: AbortSignal) => Promise<ReplyOf<N>>,
    as: string | undefined,
  ): Subscription {
    const answerer: Answerer = {
      as,
      pending: 0,
      run: async (body, signal) => {
        const checked = checkRequest(name, body);
        if (!checked.ok) throw new RequestFailed('badRequest', `${name}: ${checked.problem}`);
        return handler(checked.data, signal);
      },
    };
    const all = this.#answerers.get(name) ?? [];
    this.#answerers.set(name, [...all, answerer]);
    return {
      close: async () => {
        const left = this.#answerers.get(name) ?? [];
        this.#answerers.set(
          name,
          left.filter((other) => other !== answerer),
        );
      },
    };
  }

  close(): void {
    this.#answerers.clear();
    this.#closing.abort();
  }

  /** The one with the fewest requests under way; the order of registration turns, so that equals share. */
  #choose(name: RequestName, to: string | undefined): Answerer {
    const all = this.#answerers.get(name) ?? [];
    let chosen: Answerer | undefined;
    for (const answerer of all) {
      if (answerer.as === to && (chosen === undefined || answerer.pending < chosen.pending)) chosen = answerer;
    }
    if (chosen === undefined) throw new BusUnavailable(`nobody answers ${name}`);
    if (chosen.pending >= maxPending) throw new BusUnavailable(`too many requests wait for ${name}`);
    if (all.length > 1) this.#answerers.set(name, [...all.filter((other) => other !== chosen), chosen]);
    return chosen;
  }
}

/** Requests under way at one answerer; past it the asker is told at once. */
const maxPending = 4096;

/** The reply, or the first of: time-out, the asker's signal, the bus closed. The answerer's own errors cross as RequestFailed. */
function firstOf(
  reply: Promise<unknown>,
  name: RequestName,
  closing: AbortSignal,
  options: { timeoutMs: number; signal?: AbortSignal },
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onClose = (): void => settle(() => reject(new BusUnavailable('the bus is closed')));
    const onAbort = (): void => settle(() => reject(options.signal?.reason));
    const timer = setTimeout(
      () => settle(() => reject(new BusTimeout(`no reply to ${name} within ${options.timeoutMs} ms`))),
      options.timeoutMs,
    );
    const settle = (finish: () => void): void => {
      clearTimeout(timer);
      closing.removeEventListener('abort', onClose);
      options.signal?.removeEventListener('abort', onAbort);
      finish();
    };
    closing.addEventListener('abort', onClose, { once: true });
    options.signal?.addEventListener('abort', onAbort, { once: true });
    reply.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(asRequestFailed(error))),
    );
  });
}

function asRequestFailed(error: unknown): RequestFailed {
  if (error instanceof RequestFailed) return error;
  return new RequestFailed('internal', error instanceof Error ? `${error.name}: ${error.message}` : String(error));
}
