import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What waits, read when Prometheus asks. */
export interface StoreLoad {
  writes: number;
  bytes: number;
}

/** Called for each batch of accepts. */
export type BatchObserver = (batch: { size: number; seconds: number }) => void;

export function storeMetrics(registry: Registry, load: () => StoreLoad): BatchObserver {
  const registers = [registry];
  const operations = new Histogram({
    name: 'waypost_store_commit_operations',
    help: 'Operations that shared one commit of the store.',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 512, 1000],
    registers,
  });
  const seconds = new Histogram({
    name: 'waypost_store_commit_seconds',
    help: 'Time that a group of operations took, its commit to stable storage included.',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  gauge(registry, 'waypost_store_waiting_writes', 'Write operations that wait or run.', () => load().writes);
  gauge(registry, 'waypost_store_waiting_bytes', 'Bytes of the write operations that wait or run.', () => load().bytes);
  return (batch) => {
    operations.observe(batch.size);
    seconds.observe(batch.seconds);
  };
}

/** Called with how many were ended. */
export function staleTransactionsMetric(registry: Registry): (many: number) => void {
  const ended = new Counter({
    name: 'waypost_store_stale_transactions_total',
    help: 'Transactions that their process had left open (frozen, killed or cut off) and that this one has ended.',
    registers: [registry],
  });
  return (many) => ended.inc(many);
}

/** Called for each document of a newer release that was met. */
export function newerDocumentsMetric(registry: Registry): (collection: string) => void {
  const met = new Counter({
    name: 'waypost_store_newer_documents_total',
    help: 'Documents of a newer release that this process has met and left alone, each once.',
    labelNames: ['collection'],
    registers: [registry],
  });
  return (collection) => met.inc({ collection });
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}
