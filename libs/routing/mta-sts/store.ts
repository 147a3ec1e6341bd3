import { Gauge, type Registry } from 'prom-client';
import type { MtaStsPolicy } from './policy.ts';

export interface StoredPolicy {
  /** Of the TXT record when it was fetched. */
  id: string;
  policy: MtaStsPolicy;
  /** By the Clock port. */
  fetchedAtMs: number;
}

/** Where policies are kept for their max_age; one that outlives the process makes the first contact after a start safe too. */
export interface MtaStsStore {
  get(domain: string): Promise<StoredPolicy | undefined>;
  put(domain: string, stored: StoredPolicy): Promise<void>;
}

/** In memory: the policy used least recently goes first when there are more than `maxEntries` (default 20,000) or when they take more than 16 MiB. */
export function memoryMtaStsStore(options: { metrics: Registry; maxEntries?: number }): MtaStsStore {
  const { metrics, maxEntries = 20_000 } = options;
  const entries = new Map<string, StoredPolicy>();
  let bytes = 0;
  const forget = (domain: string): void => {
    const stored = entries.get(domain);
    if (stored !== undefined && entries.delete(domain)) bytes -= weightOf(domain, stored);
  };
  new Gauge({
    name: 'waypost_mta_sts_policies',
    help: 'MTA-STS policies in the cache.',
    registers: [metrics],
    collect() {
      this.set(entries.size);
    },
  });
  return {
    async get(domain) {
      const stored = entries.get(domain);
      if (stored !== undefined && entries.delete(domain)) entries.set(domain, stored);
      return stored;
    },
    async put(domain, stored) {
      forget(domain);
      entries.set(domain, stored);
      bytes += weightOf(domain, stored);
      for (const oldest of entries.keys()) {
        if (entries.size <= maxEntries && bytes <= maxBytes) break;
        forget(oldest);
      }
    },
  };
}

const maxBytes = 16 * 1024 * 1024;

/** About what it takes in memory. */
function weightOf(domain: string, { policy }: StoredPolicy): number {
  return policy.mx.reduce((sum, pattern) => sum + 40 + pattern.length, 300 + domain.length);
}
