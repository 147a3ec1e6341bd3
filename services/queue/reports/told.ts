import type { DeliveryRow } from '../../../libs/delivery/row.ts';

/**
 * Whether the sender is to be told of this failure. RFC 3461 §4.1: not with NOTIFY=NEVER, nor with a list that leaves FAILURE out; RFC 5321 §4.5.5: never
 * to the null reverse-path, or reports would answer reports. The copy in one's own sent mailbox is no recipient.
 */
export function wantsFailureReport(row: Pick<DeliveryRow, 'sender' | 'kind' | 'notify'>): boolean {
  if (row.sender === '' || row.kind === 'sent' || row.notify === 'NEVER') return false;
  return row.notify === undefined || row.notify.includes('FAILURE');
}
