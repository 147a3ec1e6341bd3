import { z } from 'zod';
import { durationMs } from '../../../libs/config/forms.ts';
import { deliveryStates } from '../../../libs/delivery/state.ts';
import type { DeliveryFilter } from '../../../libs/store/ports/deliveries.ts';

const ageOrTime = z.union([
  z.iso.datetime({ offset: true }),
  z.string().refine((text) => durationMs(text) !== undefined),
]);

/** What deliveries are found by: of the list, and of actions on many. Final ones are found too, for as long as traces are kept. */
export const filterFields = {
  state: z.enum(deliveryStates).optional(),
  destination: z.string().max(320).optional().meta({ description: 'exact: a domain, or `local:<0…63>`' }),
  sender: z.string().max(320).optional(),
  recipient: z.string().max(320).optional(),
  domain: z.string().max(255).optional().meta({ description: "the recipient's domain" }),
  error: z.string().max(200).optional().meta({ description: 'part of the last reply' }),
  messageId: z.uuid().optional().meta({ description: 'all recipients of one message, by the id that Waypost gave it' }),
  olderThan: ageOrTime
    .optional()
    .meta({ description: 'accepted longer ago than this duration (`30m`, `4h`, `5d`), or before this time' }),
  newerThan: ageOrTime
    .optional()
    .meta({ description: 'accepted within this duration (`30m`, `4h`, `5d`), or at this time or later' }),
};

export type FilterInput = z.output<z.ZodObject<typeof filterFields>>;

export function deliveryFilter({ olderThan, newerThan, ...exact }: FilterInput, now: number): DeliveryFilter {
  const { state, destination, sender, recipient, domain, error, messageId } = exact;
  return {
    ...(state !== undefined && { state }),
    ...(destination !== undefined && { destination }),
    ...(sender !== undefined && { sender }),
    ...(recipient !== undefined && { recipient }),
    ...(domain !== undefined && { domain }),
    ...(error !== undefined && { error }),
    ...(messageId !== undefined && { messageId }),
    ...(olderThan !== undefined && { acceptedBefore: timeOf(olderThan, now) }),
    ...(newerThan !== undefined && { acceptedAfter: timeOf(newerThan, now) }),
  };
}

function timeOf(ageOrTime: string, now: number): number {
  const ageMs = durationMs(ageOrTime);
  return ageMs === undefined ? Date.parse(ageOrTime) : now - ageMs;
}
