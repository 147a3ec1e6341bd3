import type { Batch } from '../../../libs/bus/requests.ts';
import type { Logger } from '../../../libs/ops/logger.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import { Periodic } from '../../../libs/runtime/periodic.ts';
import type { Deliveries } from '../../../libs/store/ports/deliveries.ts';
import { claimOf } from './deliver-batch.ts';

/** Renews the lease of a batch every third of it while `work` runs; most batches end before the first time. */
export async function keepLeased<T>(
  batch: Batch,
  { deliveries, clock, log }: { deliveries: Deliveries; clock: Clock; log: Logger },
  work: () => Promise<T>,
): Promise<T> {
  let first = true;
  const renewals = new Periodic({
    name: 'lease of a batch',
    intervalMs: Math.ceil(batch.leaseMs / 3),
    clock,
    log,
    task: async () => {
      if (!first) await renew(batch, deliveries);
      first = false;
    },
  });
  renewals.start();
  try {
    return await work();
  } finally {
    await renewals.stop();
  }
}

async function renew(batch: Batch, deliveries: Deliveries): Promise<void> {
  for (const rows of Map.groupBy(batch.rows, ({ epoch }) => epoch).values()) {
    const [row] = rows;
    if (row === undefined) continue;
    await deliveries.renew({ claim: claimOf(row, batch), ids: rows.map(({ id }) => id), leaseMs: batch.leaseMs });
  }
}
