import type { Bus } from '../bus/port.ts';
import type { DeliveryRow } from './row.ts';

/** Publishes that a delivery was cancelled. `actor`: who asked for it; `operator` where only the row is known, whose trace has the name. */
export function tellCancelled(
  bus: Bus,
  {
    id: deliveryId,
    messageId,
    recipient,
    destination,
  }: Pick<DeliveryRow, 'id' | 'messageId' | 'recipient' | 'destination'>,
  actor: string,
): void {
  bus.publish('mail.cancelled', { deliveryId, messageId, recipient, destination, actor });
}
