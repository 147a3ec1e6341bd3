import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';

export interface MailboxMetrics {
  delivered: Counter;
  deferred: Counter<'reason'>;
  duplicates: Counter;
  stale: Counter;
  batchFailures: Counter;
  batchRows: Histogram;
  batchSeconds: Histogram;
  storeSeconds: Histogram;
  indexed: Counter;
  indexSkipped: Counter;
}

export interface MailboxGauges {
  batchesUnderWay: () => number;
  heldBytes: () => number;
  indexWaiting: () => number;
  parseWaiting: () => number;
  parseWaitingBytes: () => number;
}

export function mailboxMetrics(registry: Registry): MailboxMetrics {
  const registers = [registry];
  return {
    delivered: new Counter({
      name: 'waypost_mailbox_delivered_total',
      help: 'Messages put into mailboxes.',
      registers,
    }),
    deferred: new Counter({
      name: 'waypost_mailbox_deferred_total',
      help: 'Local deliveries put off: over quota, no such account, or the message or its row could not be read or written.',
      labelNames: ['reason'],
      registers,
    }),
    duplicates: new Counter({
      name: 'waypost_mailbox_duplicates_total',
      help: 'Local deliveries that were repeated and found their message in the mailbox already.',
      registers,
    }),
    stale: new Counter({
      name: 'waypost_mailbox_stale_total',
      help: 'Local deliveries whose lease was gone before they could be written.',
      registers,
    }),
    batchFailures: new Counter({
      name: 'waypost_mailbox_batch_failures_total',
      help: 'Batches that could not be finished; their rows come again when the lease ends.',
      registers,
    }),
    batchRows: new Histogram({
      name: 'waypost_mailbox_batch_rows',
      help: 'Local deliveries in a batch.',
      buckets: [1, 2, 5, 10, 25, 50, 100, 200, 400, 1000],
      registers,
    }),
    batchSeconds: new Histogram({
      name: 'waypost_mailbox_batch_seconds',
      help: 'From a batch in hand to its outcomes in the store.',
      buckets: secondsBuckets,
      registers,
    }),
    storeSeconds: new Histogram({
      name: 'waypost_mailbox_store_seconds',
      help: 'The transaction that puts a batch into mailboxes.',
      buckets: secondsBuckets,
      registers,
    }),
    indexed: new Counter({
      name: 'waypost_mailbox_indexed_total',
      help: 'Messages added to the search.',
      registers,
    }),
    indexSkipped: new Counter({
      name: 'waypost_mailbox_index_skipped_total',
      help: 'Messages not taken into the indexing queue because it was full; they are indexed from the store.',
      registers,
    }),
  };
}

export function mailboxGauges(registry: Registry, gauges: MailboxGauges): void {
  gauge(registry, 'waypost_mailbox_batches', 'Batches of local deliveries under way.', gauges.batchesUnderWay);
  gauge(registry, 'waypost_mailbox_held_bytes', 'Bytes of bodies in memory for parsing.', gauges.heldBytes);
  gauge(registry, 'waypost_mailbox_index_waiting', 'Messages whose indexing waits in memory.', gauges.indexWaiting);
  gauge(registry, 'waypost_mailbox_parse_waiting', 'Jobs that wait for a thread of the parser.', gauges.parseWaiting);
  gauge(
    registry,
    'waypost_mailbox_parse_waiting_bytes',
    'Bytes of the messages that wait for the parser.',
    gauges.parseWaitingBytes,
  );
}

const secondsBuckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15];

function gauge(registry: Registry, name: string, help: string, value: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(value());
    },
  });
}
