import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export interface DeliveryMetrics {
  /** delivered, deferred, failed, stale (another held the row), lost (it could not be written in time). */
  attempts: Counter<'result'>;
  attemptSeconds: Histogram;
  replies: Counter<'stage' | 'class'>;
  unknown: Counter;
  bytes: Counter;
  connections: Counter<'result'>;
  tls: Counter<'result'>;
  noPermit: Counter<'why'>;
  permitsLost: Counter;
  renewalsFailed: Counter<'of'>;
  returned: Counter;
  converted: Counter<'result'>;
}

/** `waypost_delivery_attempts_total` is a promise to dashboards. */
export function deliveryMetrics(registry: Registry): DeliveryMetrics {
  const registers = [registry];
  const counter = <const L extends string>(name: string, help: string, labelNames: L[] = []): Counter<L> =>
    new Counter({ name: `waypost_delivery_${name}`, help, labelNames, registers });
  return {
    attempts: counter('attempts_total', 'Attempts to deliver to other servers, by result.', ['result']),
    attemptSeconds: new Histogram({
      name: 'waypost_delivery_attempt_seconds',
      help: 'One transaction with another server, from MAIL to the last answer.',
      buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900],
      registers,
    }),
    replies: counter('replies_total', 'What became of recipients, by stage and class of the answer.', [
      'stage',
      'class',
    ]),
    unknown: counter(
      'unknown_total',
      'Recipients whose message was sent to its end without an answer: they may have it, and get it again.',
    ),
    bytes: counter('sent_bytes_total', 'Bytes of messages in transactions that a server took.'),
    connections: counter('connections_total', 'Connections dialled, by result.', ['result']),
    tls: counter('tls_total', 'Sessions by encryption, and failed handshakes, by result type (RFC 8460).', ['result']),
    noPermit: counter('no_permit_total', 'Permits of a destination that were refused.', ['why']),
    permitsLost: counter(
      'permits_lost_total',
      'Permits that were lost while their connection was open, which was cut.',
    ),
    renewalsFailed: counter('renewals_failed_total', 'Renewals of leases that did not succeed.', ['of']),
    returned: counter('returned_total', 'Deliveries handed back unattempted.'),
    converted: counter('converted_total', 'Messages to be made 7-bit for a server without 8BITMIME.', ['result']),
  };
}

export interface DeliveryGauges {
  batches: () => number;
  open: () => number;
  idle: () => number;
  permits: () => number;
  heldBytes: () => number;
  outcomesWaiting: () => number;
}

export function deliveryGauges(registry: Registry, gauges: DeliveryGauges): void {
  const gauge = (name: string, help: string, value: () => number): void => {
    new Gauge({
      name: `waypost_delivery_${name}`,
      help,
      registers: [registry],
      collect() {
        this.set(value());
      },
    });
  };
  gauge('batches', 'Batches for outside under way.', gauges.batches);
  gauge('connections', 'Connections that are open, idle ones too.', gauges.open);
  gauge('connections_idle', 'Connections that are open with nothing to do.', gauges.idle);
  gauge('permits', 'Permits held.', gauges.permits);
  gauge('held_bytes', 'Bytes of messages that are held as a whole to be made 7-bit.', gauges.heldBytes);
  gauge('outcomes_waiting', 'Outcomes that are not in the store yet.', gauges.outcomesWaiting);
}
