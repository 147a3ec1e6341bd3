import type { Bus } from '../../../libs/bus/port.ts';
import type { DeliveryRow } from '../../../libs/delivery/row.ts';
import { tellCancelled } from '../../../libs/delivery/tell-cancelled.ts';
import type { SteerAction } from '../../../libs/delivery/wish.ts';

/** Tells owners, and who listens to events, of rows that an action has changed at once. Reports of bounces tell of themselves. */
export function tellSteered(
  { bus }: { bus: Bus },
  action: SteerAction,
  rows: readonly DeliveryRow[],
  actor: string,
): void {
  if (action === 'cancel') for (const row of rows) tellCancelled(bus, row, actor);
  if (action === 'cancel' || action === 'hold' || action === 'bounce' || rows.length === 0) return;
  bus.wake('queue.rows', { partitions: [...new Set(rows.map(({ partition }) => partition))] });
}
