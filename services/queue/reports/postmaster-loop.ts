import type { DeliveryRow } from '../../../libs/delivery/row.ts';

/**
 * Mail of a postmaster to itself that doesn't arrive: a report would go to the very address that can't be reached, and be read by who is to look after such
 * reports. Reports themselves have the null reverse-path and are never answered.
 */
export function isPostmasterLoop({ sender, recipient }: Pick<DeliveryRow, 'sender' | 'recipient'>): boolean {
  const from = sender.toLowerCase();
  return /^(?:postmaster|mailer-daemon)(?:@|$)/.test(from) && from === recipient.toLowerCase();
}
