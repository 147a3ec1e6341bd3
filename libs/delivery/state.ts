import type { Wanted } from './row.ts';

/** States of a delivery; `delivered`, `bounced` and `cancelled` are final. `failed` isn't: its report is owed. */
export const deliveryStates = [
  'queued',
  'leased',
  'deferred',
  'held',
  'failed',
  'reporting',
  'delivered',
  'bounced',
  'cancelled',
] as const;

export type DeliveryState = (typeof deliveryStates)[number];

export const isFinal = (state: DeliveryState): boolean =>
  state === 'delivered' || state === 'bounced' || state === 'cancelled';

/** True for rows that an owner may lease when they are due. */
export const isClaimable = (state: DeliveryState): boolean => state === 'queued' || state === 'deferred';

/** What can happen to a delivery. Events marked (lease) count only from the holder of the row's lease; the adapters check that first. */
export type DeliveryEvent =
  | { kind: 'claim' }
  /** A proven 250, from whoever brings it. */
  | { kind: 'delivered' }
  /** (lease) 4xx or network trouble. */
  | { kind: 'deferred' }
  /** (lease) 5xx. */
  | { kind: 'failed' }
  /** (lease) Handed back unattempted. */
  | { kind: 'returned' }
  /** The lease ended by the store's clock, or its owner is gone. */
  | { kind: 'leaseEnded' }
  /** Past `expiresAt`. */
  | { kind: 'expired' }
  | { kind: 'reportStarted' }
  | { kind: 'reportFinished' }
  | { kind: 'hold' }
  | { kind: 'release' }
  | { kind: 'retry' }
  | { kind: 'cancel' };

/** The part of a row that transitions look at and change. */
export interface DeliveryStanding {
  state: DeliveryState;
  /** Attempts made so far; a row that was attempted waits as `deferred`, else as `queued`. */
  attempts: number;
  wanted?: Wanted;
}

/** `undefined`: the event means nothing in this state and is refused. */
export function transition(standing: DeliveryStanding, event: DeliveryEvent): DeliveryStanding | undefined {
  const { state, attempts } = standing;
  switch (event.kind) {
    case 'claim':
      return isClaimable(state) ? { state: 'leased', attempts } : undefined;
    case 'delivered':
      if (isFinal(state) || state === 'reporting') return undefined;
      return { state: 'delivered', attempts: attempts + 1 };
    case 'deferred':
      return state === 'leased' ? applyWanted({ ...standing, attempts: attempts + 1 }) : undefined;
    case 'failed':
      // A wish doesn't outrun a 5xx: the sender must be told that it failed.
      return state === 'leased' ? { state: 'failed', attempts: attempts + 1 } : undefined;
    case 'returned':
    case 'leaseEnded':
      return state === 'leased' ? applyWanted(standing) : undefined;
    case 'expired':
      return isClaimable(state) ? { state: 'failed', attempts } : undefined;
    case 'reportStarted':
      return state === 'failed' ? { state: 'reporting', attempts } : undefined;
    case 'reportFinished':
      return state === 'reporting' ? { state: 'bounced', attempts } : undefined;
    default:
      return steer(standing, event);
  }
}

type SteerEvent = Extract<DeliveryEvent, { kind: 'hold' | 'release' | 'retry' | 'cancel' }>;

/** What operators ask. Refused from `failed` on: the report is owed, or the row is final. */
function steer(standing: DeliveryStanding, event: SteerEvent): DeliveryStanding | undefined {
  const { state, attempts } = standing;
  if (state === 'leased') {
    if (event.kind === 'hold' || event.kind === 'cancel') return { ...standing, wanted: event.kind };
    // `release` takes back a hold that hasn't applied yet.
    return event.kind === 'release' && standing.wanted === 'hold' ? { state, attempts } : undefined;
  }
  const open = isClaimable(state) || state === 'held';
  if (!open) return undefined;
  if (event.kind === 'cancel') return { state: 'cancelled', attempts };
  if (event.kind === 'hold') return state === 'held' ? undefined : { state: 'held', attempts };
  if (event.kind === 'release') return state === 'held' ? waiting(attempts) : undefined;
  return state === 'held' ? undefined : waiting(attempts);
}

function applyWanted(standing: DeliveryStanding): DeliveryStanding {
  if (standing.wanted === 'cancel') return { state: 'cancelled', attempts: standing.attempts };
  if (standing.wanted === 'hold') return { state: 'held', attempts: standing.attempts };
  return waiting(standing.attempts);
}

const waiting = (attempts: number): DeliveryStanding => ({ state: attempts > 0 ? 'deferred' : 'queued', attempts });
