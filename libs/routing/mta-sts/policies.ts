import { Counter, type Registry } from 'prom-client';
import type { Dns } from '../../dns/port.ts';
import { BoundedCache } from '../../runtime/bounded-cache.ts';
import type { Clock } from '../../runtime/clock.ts';
import { unlessAborted } from '../../runtime/unless-aborted.ts';
import { type PolicyFetch, PolicyFetchFailed } from './fetch.ts';
import { parsePolicy, policyId } from './policy.ts';
import type { MtaStsStore, StoredPolicy } from './store.ts';

export interface MtaStsOptions {
  dns: Dns;
  fetch: PolicyFetch;
  store: MtaStsStore;
  clock: Clock;
  metrics: Registry;
}

export interface MtaStsPolicies {
  /** The policy in force for a domain; undefined when it has none, or none could ever be had. Never rejects but when the signal aborts or the store fails. */
  policyFor(domain: string, signal: AbortSignal): Promise<StoredPolicy | undefined>;
}

/** A policy whose id hasn't changed is fetched anew after this time (RFC 8461 §3.3), so that it doesn't run out while it is in use. */
const refreshMs = 24 * 3_600_000;
/** After a fetch that failed (RFC 8461 §3.3). */
const restMs = 5 * 60_000;

/**
 * Policies by RFC 8461 §5.1: the TXT record tells whether there is a new one; while the fetch, or the look-up, fails, the one that is known stays in force to
 * the end of its max_age. A domain gives its policy up with mode `none`; taking the record away alone doesn't end it.
 */
export function createMtaStsPolicies(options: MtaStsOptions): MtaStsPolicies {
  const { dns, store, clock, metrics } = options;
  const resting = new BoundedCache<string, string>({ cap: 10_000, ttlMs: restMs, clock });
  const underway = new Map<string, Promise<StoredPolicy | undefined>>();
  const fetches = new Counter({
    name: 'waypost_mta_sts_fetches_total',
    help: 'MTA-STS policies fetched: ok, failed, invalid, overload.',
    labelNames: ['result'],
    registers: [metrics],
  });

  const fetched = async (domain: string, id: string): Promise<StoredPolicy | undefined> => {
    const text = await textOf(domain);
    const policy = text === undefined ? undefined : parsePolicy(text);
    fetches.inc({ result: policy !== undefined ? 'ok' : text === undefined ? 'failed' : 'invalid' });
    if (policy === undefined) {
      resting.set(domain, id);
      return undefined;
    }
    const stored = { id, policy, fetchedAtMs: clock.nowMs() };
    await store.put(domain, stored);
    return stored;
  };

  const textOf = async (domain: string): Promise<string | undefined> => {
    const limit = AbortSignal.timeout(fetchLimitMs);
    try {
      return await options.fetch(domain, limit);
    } catch (error) {
      if (error instanceof PolicyFetchFailed || limit.aborted) return undefined;
      throw error;
    }
  };

  const fetchOnce = async (domain: string, id: string): Promise<StoredPolicy | undefined> => {
    const running = underway.get(domain);
    if (running !== undefined) return running;
    if (underway.size >= maxUnderway) {
      fetches.inc({ result: 'overload' });
      return undefined;
    }
    const run = fetched(domain, id).finally(() => underway.delete(domain));
    underway.set(domain, run);
    return run;
  };

  return {
    async policyFor(domain, signal) {
      const known = inForce(await store.get(domain), clock.nowMs());
      const txt = await dns.txt(`_mta-sts.${domain}`, { signal });
      const id = txt.kind === 'found' ? policyId(txt.records) : undefined;
      const isCurrent = known?.id === id && known !== undefined && clock.nowMs() - known.fetchedAtMs < refreshMs;
      if (id === undefined || isCurrent || resting.get(domain) === id) return unlessNone(known);
      // It isn't tied to the signal of the one who asks first: it has a limit of its own, and others wait for it too.
      const fresh = await unlessAborted(fetchOnce(domain, id), signal);
      return unlessNone(fresh ?? known);
    },
  };
}

const fetchLimitMs = 15_000;
/** Domains whose policy is being fetched. */
const maxUnderway = 50;

function inForce(stored: StoredPolicy | undefined, nowMs: number): StoredPolicy | undefined {
  return stored !== undefined && nowMs < stored.fetchedAtMs + stored.policy.maxAgeMs ? stored : undefined;
}

const unlessNone = (stored: StoredPolicy | undefined): StoredPolicy | undefined =>
  stored?.policy.mode === 'none' ? undefined : stored;
