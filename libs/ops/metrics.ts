import { Registry, collectDefaultMetrics } from 'prom-client';

/** A registry with what every Node process shows: CPU, resident memory, delay of the event loop, garbage collection. */
export function createMetrics(): Registry {
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics, eventLoopMonitoringPrecision: 20 });
  return metrics;
}
