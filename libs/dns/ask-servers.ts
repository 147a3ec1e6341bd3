import { type DnsServerAddress, exchange, NoReply } from './exchange.ts';
import type { DnsMetrics } from './metrics.ts';
import type { DnsFailure } from './port.ts';
import { MalformedDnsMessage } from './wire/malformed.ts';
import { type DnsQuestion, type DnsReply, rcodes } from './wire/message.ts';

export interface AskOptions {
  servers: readonly DnsServerAddress[];
  /** Their AD flag is believed, so it is asked for. */
  dnssec: boolean;
  metrics: DnsMetrics;
}

export interface Trouble {
  kind: 'servfail' | 'refused' | 'timeout';
  detail: string;
}

/** Waits for one server in each round, ms: a cold name can take a resolver seconds, and then the second question finds it warm. */
const roundsMs = [2_000, 3_000, 4_000];

/**
 * Asks the servers in turn until one of them knows: that a name or record isn't there is knowledge, SERVFAIL, REFUSED and silence are not. The one that answered
 * last is asked first. Rounds go on only while some server was silent.
 */
export class ServerAsker {
  readonly #options: AskOptions;
  #first = 0;

  constructor(options: AskOptions) {
    this.#options = options;
  }

  async ask(question: DnsQuestion, limits: { deadlineMs: number; signal: AbortSignal }): Promise<DnsReply | Trouble> {
    const { servers } = this.#options;
    let trouble: Trouble = { kind: 'timeout', detail: `no answer from ${servers.map(shown).join(', ')}` };
    const start = this.#first;
    for (const roundMs of roundsMs) {
      let silent = false;
      for (let i = 0; i < servers.length; i++) {
        const turn = (start + i) % servers.length;
        const server = servers[turn];
        const limitMs = Math.min(roundMs, limits.deadlineMs - performance.now());
        if (server === undefined || limitMs <= 0 || limits.signal.aborted) return trouble;
        const result = await this.#askOne(server, question, { limitMs, signal: limits.signal });
        if (!isTrouble(result)) {
          this.#first = turn;
          return result;
        }
        silent ||= result.kind === 'timeout';
        // What a server has said tells more than that another was silent.
        if (result.kind !== 'timeout' || trouble.kind === 'timeout') trouble = result;
      }
      if (!silent) break;
    }
    return trouble;
  }

  async #askOne(
    server: DnsServerAddress,
    question: DnsQuestion,
    limits: { limitMs: number; signal: AbortSignal },
  ): Promise<DnsReply | Trouble> {
    const { metrics } = this.#options;
    const startedMs = performance.now();
    const result = await this.#exchange(server, question, limits);
    metrics.seconds.observe((performance.now() - startedMs) / 1000);
    metrics.queries.inc({ result: isTrouble(result) ? result.kind : 'answered' });
    return result;
  }

  async #exchange(
    server: DnsServerAddress,
    question: DnsQuestion,
    limits: { limitMs: number; signal: AbortSignal },
  ): Promise<DnsReply | Trouble> {
    const { dnssec, metrics } = this.#options;
    const onStray = (): void => metrics.strays.inc();
    try {
      const reply = await exchange(server, question, { ...limits, edns: true, dnssec, onStray });
      if (!knowsNoEdns(reply)) return judged(reply, server);
      return judged(await exchange(server, question, { ...limits, edns: false, dnssec: false, onStray }), server);
    } catch (error) {
      if (error instanceof MalformedDnsMessage)
        return { kind: 'servfail', detail: `${error.message}, from ${shown(server)}` };
      if (!(error instanceof NoReply)) throw error;
      const what = error.why === 'unreachable' ? 'nobody listens at' : 'no answer from';
      return { kind: 'timeout', detail: `${what} ${shown(server)}` };
    }
  }
}

export function isTrouble(result: DnsReply | Trouble): result is Trouble {
  return 'kind' in result;
}

/** RFC 6891 §7. */
function knowsNoEdns({ rcode }: DnsReply): boolean {
  return rcode === rcodes.formErr || rcode === rcodes.notImp || rcode === rcodes.badVers;
}

function judged(reply: DnsReply, server: DnsServerAddress): DnsReply | Trouble {
  const { rcode } = reply;
  if (rcode === rcodes.noError || rcode === rcodes.nxDomain) return reply;
  if (rcode === rcodes.refused) return { kind: 'refused', detail: `REFUSED from ${shown(server)}` };
  const name = rcode === rcodes.servFail ? 'SERVFAIL' : `response code ${rcode}`;
  return { kind: 'servfail', detail: `${name} from ${shown(server)}` };
}

const shown = ({ host, port }: DnsServerAddress): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** A failure of which nothing is known. */
export const unknown = ({ kind, detail }: Trouble, ttlMs: number): DnsFailure => ({
  kind,
  detail,
  ttlMs,
  secure: false,
});
