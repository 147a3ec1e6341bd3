import { Histogram } from 'prom-client';
import type { Registry } from 'prom-client';

/**
 * `waypost_http_request_seconds` of a registry, made at its first use. `route` is the pattern, never the path, so that the number of series is
 * bounded by the number of routes.
 */
export function httpRequestSeconds(metrics: Registry): Histogram<'method' | 'route' | 'status'> {
  const existing = metrics.getSingleMetric(metricName);
  if (existing instanceof Histogram) return existing;
  return new Histogram({
    name: metricName,
    help: 'Time until the answer of an HTTP request was made, by route pattern.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10],
    registers: [metrics],
  });
}

const metricName = 'waypost_http_request_seconds';
