import type { Batch } from '../../libs/bus/requests.ts';
import type { DeliveryRow } from '../../libs/delivery/row.ts';

/** What a worker needs of a claimed row. */
export function batchRow(row: DeliveryRow): Batch['rows'][number] {
  const { id, messageId, kind, accountId, recipient, destination, partition, claim, attempts, expiresAt, sizeBytes } =
    row;
  const { notify, originalRecipient, reversePath } = row;
  if (claim === undefined) throw new Error(`the claimed row ${id} has no claim`);
  return {
    id,
    messageId,
    kind,
    ...(accountId !== undefined && { accountId }),
    recipient,
    destination,
    partition,
    epoch: claim.epoch,
    attempts,
    expiresAt,
    sizeBytes,
    ...(notify !== undefined && { notify: notify === 'NEVER' ? notify : [...notify] }),
    ...(originalRecipient !== undefined && { originalRecipient }),
    ...(reversePath !== undefined && { reversePath }),
  };
}
