import { partitionOf } from '../../../delivery/partition.ts';
import type { DestinationCounts } from '../../ports/deliveries.ts';
import type { Connection } from '../engine/connection.ts';
import { stateCodes } from './delivery-codes.ts';

export const reads = { 'deliveries.destinationCounts': destinationCounts };

export const waitingOfDestinationSql = `SELECT count(*) AS many FROM deliveries
  WHERE lane = ? AND partition = ? AND destination = ?`;
export const heldOfDestinationSql = `SELECT count(*) AS many FROM deliveries WHERE state = ${stateCodes.held} AND destination = ?`;
/** What is leased is never much: it is in the hands of workers. */
export const leasedByDestinationSql = `SELECT destination, count(*) AS many FROM deliveries INDEXED BY deliveries_leased
  WHERE state = ${stateCodes.leased} GROUP BY destination`;

interface ByDestination {
  destination: string;
  many: number;
}

function destinationCounts(
  connection: Connection,
  { destinations }: { destinations: readonly string[] },
): Map<string, DestinationCounts> {
  const leased = new Map(
    connection.all<ByDestination>(leasedByDestinationSql).map(({ destination, many }) => [destination, many]),
  );
  const many = (sql: string, ...values: (string | number)[]): number =>
    connection.get<{ many: number }>(sql, ...values)?.many ?? 0;
  const counts = new Map<string, DestinationCounts>();
  for (const destination of destinations) {
    const partition = partitionOf(destination);
    const count = {
      ready: many(waitingOfDestinationSql, 1, partition, destination),
      deferred: many(waitingOfDestinationSql, 0, partition, destination),
      leased: leased.get(destination) ?? 0,
      held: many(heldOfDestinationSql, destination),
    };
    if (count.ready + count.deferred + count.leased + count.held > 0) counts.set(destination, count);
  }
  return counts;
}
