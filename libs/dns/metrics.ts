import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface DnsMetrics {
  queries: Counter<'result'>;
  seconds: Histogram;
  strays: Counter;
  lookups: Counter<'result'>;
}

/** What is asked at each scrape. */
export interface DnsGauges {
  entries: () => number;
  bytes: () => number;
  underway: () => number;
}

/** Once for each registry. */
export function dnsMetrics(metrics: Registry, gauges: DnsGauges): DnsMetrics {
  const registers = [metrics];
  gauge('waypost_dns_cache_entries', 'Answers in the cache.', gauges.entries);
  gauge('waypost_dns_cache_bytes', 'Octets of replies that the cache stands for.', gauges.bytes);
  gauge('waypost_dns_lookups_underway', 'Look-ups that run or wait for their turn.', gauges.underway);
  return {
    queries: new Counter({
      name: 'waypost_dns_queries_total',
      help: 'Questions to name servers: answered (also that there is nothing), servfail, refused, timeout.',
      labelNames: ['result'],
      registers,
    }),
    seconds: new Histogram({
      name: 'waypost_dns_query_seconds',
      help: 'Time of one question to one name server.',
      buckets: [0.001, 0.005, 0.02, 0.1, 0.5, 1, 2, 5],
      registers,
    }),
    strays: new Counter({
      name: 'waypost_dns_stray_replies_total',
      help: 'Datagrams that were not the reply to the question: late ones, or somebody who guesses.',
      registers,
    }),
    lookups: new Counter({
      name: 'waypost_dns_lookups_total',
      help: 'Look-ups: hit, miss, joined (another asked the same at this moment), stale (an old answer while the servers are away), overload.',
      labelNames: ['result'],
      registers,
    }),
  };

  function gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  }
}
