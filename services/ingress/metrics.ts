import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface IngressMetrics {
  accepted: Counter<'listener'>;
  acceptSeconds: Histogram<'listener'>;
  refused: Counter<'listener' | 'code' | 'status'>;
  connections: Gauge<'listener'>;
  connectionsRefused: Counter<'listener' | 'reason'>;
}

export function ingressMetrics(registry: Registry, dataBytes: () => number): IngressMetrics {
  const registers = [registry];
  new Gauge({
    name: 'waypost_smtp_data_bytes',
    help: 'Memory held by messages that are being received or made durable.',
    registers,
    collect() {
      this.set(dataBytes());
    },
  });
  return {
    accepted: new Counter({
      name: 'waypost_smtp_accepted_total',
      help: 'Messages that were answered with 250 after DATA.',
      labelNames: ['listener'],
      registers,
    }),
    acceptSeconds: new Histogram({
      name: 'waypost_smtp_accept_seconds',
      help: 'From the end of the data to the reply, for accepted messages.',
      labelNames: ['listener'],
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    refused: new Counter({
      name: 'waypost_smtp_refused_total',
      help: 'Replies of class 4 and 5, by code and enhanced status.',
      labelNames: ['listener', 'code', 'status'],
      registers,
    }),
    connections: new Gauge({
      name: 'waypost_smtp_connections',
      help: 'Open connections.',
      labelNames: ['listener'],
      registers,
    }),
    connectionsRefused: new Counter({
      name: 'waypost_smtp_connections_refused_total',
      help: 'Connections that were closed before a greeting.',
      labelNames: ['listener', 'reason'],
      registers,
    }),
  };
}
