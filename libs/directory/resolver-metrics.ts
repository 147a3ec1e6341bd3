import { Counter, Gauge, type Registry } from 'prom-client';

export interface ResolverMetrics {
  answers: Counter<'result'>;
  entries: Gauge;
}

/** Resolvers of one process (ingress and mailbox beside each other) share their metrics. */
export function resolverMetrics(registry: Registry): ResolverMetrics {
  const answers = registry.getSingleMetric(answersName);
  const entries = registry.getSingleMetric(entriesName);
  if (answers instanceof Counter && entries instanceof Gauge) return { answers, entries };
  return {
    answers: new Counter({
      name: answersName,
      help: 'Addresses resolved: found in the cache (hit) or not (miss), and of those that weren’t, read from the store because auth didn’t answer (store).',
      labelNames: ['result'],
      registers: [registry],
    }),
    entries: new Gauge({
      name: entriesName,
      help: 'Addresses and their targets in the cache of resolved addresses.',
      registers: [registry],
    }),
  };
}

const answersName = 'waypost_directory_cache_total';
const entriesName = 'waypost_directory_cache_entries';
