import { partitionOf } from '../../../libs/delivery/partition.ts';
import type { DeliveryRow } from '../../../libs/delivery/row.ts';
import type { QueueHttpDeps } from './routes.ts';

/** Somebody wants these tried now: servers that rest after failures are tried again. What an operator has paused stays so. */
export async function endRests(
  { groups, bus, clock }: Pick<QueueHttpDeps, 'groups' | 'bus' | 'clock'>,
  rows: readonly DeliveryRow[],
): Promise<void> {
  const remote = rows.filter(({ kind }) => kind === 'remote');
  const destinations = [...new Set(remote.map(({ destination }) => destination))];
  if (destinations.length === 0) return;
  const rested = new Set<string>();
  for (const { group } of (await groups.standing(destinations)).values()) {
    if (group !== null && group.resting !== null && group.paused === null) rested.add(group.group);
  }
  for (const group of rested) await groups.resume({ group }, clock.nowMs());
  if (rested.size > 0) bus.wake('queue.destinations', { partitions: destinations.map(partitionOf) });
}
