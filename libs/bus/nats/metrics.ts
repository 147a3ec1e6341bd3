import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

export interface LinkMetrics {
  /** 1 while a connection stands. */
  connected: Gauge;
  reconnects: Counter;
  /** 1 while the stream of events is there with our settings. */
  streamReady: Gauge;
}

/** `unsent` and `asked` are asked at each scrape. */
export function linkMetrics(metrics: Registry, now: { unsent: () => number; asked: () => number }): LinkMetrics {
  const registers = [metrics];
  new Gauge({
    name: 'waypost_bus_unsent',
    help: 'Events and wake-ups that wait for the NATS server in this process.',
    registers,
    collect() {
      this.set(now.unsent());
    },
  });
  new Gauge({
    name: 'waypost_bus_requests_pending',
    help: 'Requests of this process that wait for their replies.',
    registers,
    collect() {
      this.set(now.asked());
    },
  });
  return {
    connected: new Gauge({ name: 'waypost_bus_connected', help: '1 while NATS is connected.', registers }),
    reconnects: new Counter({
      name: 'waypost_bus_reconnects_total',
      help: 'Connections to NATS after the first one.',
      registers,
    }),
    streamReady: new Gauge({
      name: 'waypost_bus_stream_ready',
      help: '1 while the stream of events is there, or this user may not look at it.',
      registers,
    }),
  };
}
