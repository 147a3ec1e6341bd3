import { setTimeout as sleep } from 'node:timers/promises';
import type { Response } from 'express';
import type { Registry } from 'prom-client';
import { Gauge } from 'prom-client';
import type { Bus, Subscription } from '../../../libs/bus/port.ts';
import type { Verifier } from '../../../libs/directory/verifier.ts';
import { problem } from '../../../libs/http/problem.ts';
import { defineRoute, type Route } from '../../../libs/http/route.ts';
import type { Mailboxes } from '../../../libs/store/ports/mailboxes.ts';
import { accountOf } from './caller-account.ts';
import { AccountPath } from './schemas.ts';

/** Server-sent events, one stream for each waiting reader. The store says what is true; bus events and a slow poll only make it look. */
export interface EventStreams {
  readonly route: Route;
  /** Ends all streams; clients come back to another process with Last-Event-ID. */
  close(): Promise<void>;
}

export function eventStreams({
  bus,
  mailboxes,
  verifier,
  metrics,
  pollIntervalMs = defaultPollIntervalMs,
}: {
  bus: Bus;
  verifier: Pick<Verifier, 'isGood'>;
  mailboxes: Pick<Mailboxes, 'state'>;
  metrics: Registry;
  pollIntervalMs?: number;
}): EventStreams {
  const streams = new Map<string, Set<Stream>>();
  let count = 0;
  let subscription: Subscription | undefined;
  const gauge = new Gauge({ name: 'waypost_mailbox_event_streams', help: 'Open event streams.', registers: [metrics] });
  const closing = new AbortController();
  const polls = pollEvery(pollIntervalMs, closing.signal, async () => {
    const all = [...streams.values()].flatMap((ofAccount) => [...ofAccount]);
    // A few at a time: thousands of reads at once would leave no place for any other.
    for (let at = 0; at < all.length && !closing.signal.aborted; at += polledAtOnce)
      await Promise.all(all.slice(at, at + polledAtOnce).map((stream) => stream.look(true)));
  });

  function add(accountId: string, stream: Stream): void {
    subscription ??= bus.subscribe(['mailbox.changed'], ({ data }) => {
      for (const waiting of streams.get(data.accountId) ?? []) void waiting.look(false);
    });
    const ofAccount = streams.get(accountId) ?? new Set();
    if (count >= maxStreams || ofAccount.size >= maxStreamsPerAccount) {
      throw problem('tooManyRequests', 'too many open event streams', { headers: { 'retry-after': '30' } });
    }
    streams.set(accountId, ofAccount.add(stream));
    gauge.set(++count);
  }

  function remove(accountId: string, stream: Stream): void {
    const ofAccount = streams.get(accountId);
    if (ofAccount?.delete(stream) !== true) return;
    if (ofAccount.size === 0) streams.delete(accountId);
    gauge.set(--count);
  }

  const route = defineRoute({
    method: 'get',
    path: '/api/v1/accounts/:account/events',
    operationId: 'streamEvents',
    summary: 'Server-sent events: `state` whenever something in the account has changed',
    description:
      'The id of each event is the state token; Last-Event-ID resumes: one event at once when the state has moved on since.',
    tags: ['messages'],
    access: 'account',
    scope: 'mail:read',
    params: AccountPath,
    replies: {
      200: { description: 'event: state, data: { "state": "…" }', contentType: 'text/event-stream' },
      404: 'problem',
      429: 'problem',
    },
    handle: async ({ params, caller, request, response }) => {
      const accountId = accountOf(caller, params);
      if (request.method === 'HEAD') return { status: 200, headers: { 'content-type': 'text/event-stream' } };
      const lastSeen = request.headers['last-event-id'];
      // Gone while it was authenticated: `close` was long ago, and nothing would ever remove the stream.
      if (response.closed) return 'handled';
      const stream = new Stream(
        response,
        { state: () => mailboxes.state(accountId), isAllowed: () => verifier.isGood(caller) },
        typeof lastSeen === 'string' ? lastSeen : undefined,
      );
      add(accountId, stream);
      response.once('close', () => remove(accountId, stream));
      response.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      });
      response.flushHeaders();
      await stream.look(false);
      return 'handled';
    },
  });

  return {
    route,
    async close() {
      closing.abort();
      await subscription?.close();
      for (const ofAccount of streams.values()) for (const stream of ofAccount) stream.end();
      await polls;
    },
  };
}

/** How long a lost bus event can hide a change, and a stream outlive its credentials; also keeps the connection alive through proxies. */
const defaultPollIntervalMs = 15_000;
const polledAtOnce = 16;
const maxStreams = 5_000;
const maxStreamsPerAccount = 20;

async function pollEvery(intervalMs: number, signal: AbortSignal, poll: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    // It rejects when it is aborted, which the loop sees.
    await sleep(intervalMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (!signal.aborted) await poll();
  }
}

interface StreamedAccount {
  state(): Promise<string>;
  isAllowed(): Promise<boolean>;
}

/** One connection. Only the newest state matters, so nothing is ever queued for a slow reader. */
class Stream {
  readonly #response: Response;
  readonly #account: StreamedAccount;
  #sent: string | undefined;
  #looking = false;
  #again = false;

  constructor(response: Response, account: StreamedAccount, sent: string | undefined) {
    this.#response = response;
    this.#account = account;
    this.#sent = sent;
  }

  /** Reads the state and tells it when it is new. A poll also says something in any case, and ends the stream of a reader that may read no more. */
  async look(poll: boolean): Promise<void> {
    if (this.#looking) {
      this.#again = true;
      return;
    }
    this.#looking = true;
    try {
      do {
        this.#again = false;
        await this.#tell(poll);
      } while (this.#again);
    } catch {
      // The store is away: the stream ends, and the client comes back with Last-Event-ID.
      this.end();
    } finally {
      this.#looking = false;
    }
  }

  end(): void {
    this.#response.end();
  }

  async #tell(poll: boolean): Promise<void> {
    if (poll && !(await this.#account.isAllowed())) this.end();
    if (this.#response.writableNeedDrain || this.#response.writableEnded) return;
    const state = await this.#account.state();
    if (state !== this.#sent) {
      this.#sent = state;
      this.#response.write(`event: state\nid: ${state}\ndata: ${JSON.stringify({ state })}\n\n`);
    } else if (poll) {
      this.#response.write(': still here\n\n');
    }
  }
}
