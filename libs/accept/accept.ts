import type { Bus } from '../bus/port.ts';
import { partitionOf } from '../delivery/partition.ts';
import type { AcceptedMessage, AcceptResult, Spool } from '../store/ports/spool.ts';
import type { PartitionWakes } from './partition-wakes.ts';

export interface AcceptDeps {
  spool: Spool;
  bus: Bus;
  wakes: PartitionWakes;
}

/**
 * Makes a message durable, then tells of it: the event `mail.accepted` and, once its delivery rows are there, a wake-up of the owners of its partitions. All of
 * that may be lost, the sweeps find the message and the rows. Errors are those of Spool.accept (StoreFull, StoreBusy, StoreUnavailable, OutcomeUnknown); nothing is told then. `accepted: false` when the
 * Idempotency-Key has made a message before; nothing is told then either.
 */
export async function acceptMessage(
  { spool, bus, wakes }: AcceptDeps,
  message: AcceptedMessage,
): Promise<AcceptResult> {
  const result = await spool.accept(message);
  if (!result.accepted) return result;
  bus.publish('mail.accepted', {
    messageId: message.messageId,
    sender: message.envelope.reversePath,
    sizeBytes: message.sizeBytes,
    source: message.source.by,
    targets: message.targets.length,
  });
  const partitions = message.targets.map(({ destination }) => partitionOf(destination));
  // Not waited for: what is accepted is safe, and the client has waited long enough.
  if (spool.routesOnAccept) wakes.add(partitions);
  else wakes.addAfter(spool.fanOutSoon(message.messageId), partitions);
  return result;
}
