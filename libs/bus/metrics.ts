import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

export interface BusMetrics {
  /** Events and wake-ups that a full queue has pushed out. */
  dropped: Counter<'kind'>;
  /** Payloads that don't fit their schema, set aside. */
  invalid: Counter<'name'>;
  handlerErrors: Counter<'name'>;
}

/** `queued` is asked at each scrape. */
export function busMetrics(metrics: Registry, queued: () => number): BusMetrics {
  const registers = [metrics];
  new Gauge({
    name: 'waypost_bus_queued',
    help: 'Events and wake-ups that wait for their handlers in this process.',
    registers,
    collect() {
      this.set(queued());
    },
  });
  return {
    dropped: new Counter({
      name: 'waypost_bus_dropped_total',
      help: 'Events and wake-ups dropped because a queue was full; sweeps find their work.',
      labelNames: ['kind'],
      registers,
    }),
    invalid: new Counter({
      name: 'waypost_bus_invalid_total',
      help: 'Payloads set aside because they do not fit their schema.',
      labelNames: ['name'],
      registers,
    }),
    handlerErrors: new Counter({
      name: 'waypost_bus_handler_errors_total',
      help: 'Handlers of events and wake-ups that have thrown.',
      labelNames: ['name'],
      registers,
    }),
  };
}
