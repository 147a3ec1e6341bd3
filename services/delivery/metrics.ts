import { Counter, type Registry } from 'prom-client';

/** Its name is a promise to dashboards: it is there from the first day, and counts when there is something to count. */
export function deliveryMetrics(registry: Registry) {
  return {
    attempts: new Counter({
      name: 'waypost_delivery_attempts_total',
      help: 'Attempts to deliver to other servers, by result.',
      labelNames: ['result'],
      registers: [registry],
    }),
  };
}
