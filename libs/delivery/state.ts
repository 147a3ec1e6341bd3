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
  | { kind: 'cancel' }
  /** An operator ends it as failed, so that the sender is told. */
  | { kind: 'bounce' }
  /** An operator changes where it goes, or to whom. */
  | { kind: 'reroute' }
  | { kind: 'recipient' };

/** The part of a row that transitions look at and change. */
export interface DeliveryStanding {
  state: DeliveryState;
  /** Attempts made so far; a row that was attempted waits as `deferred`, else as `queued`. */
  attempts: number;
  wanted?: Wanted;
}

/** A standing that an event has led to. */
export interface Reached extends DeliveryStanding {
  /** The wish that ended the row now: the failure is the operator's and not the server's. */
  applied?: 'bounce';
}

/** `undefined`: the event means nothing in this state and is refused. */
export function transition(standing: DeliveryStanding, event: DeliveryEvent): Reached | undefined {
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

type SteerEvent = Extract<
  DeliveryEvent,
  { kind: 'hold' | 'release' | 'retry' | 'cancel' | 'bounce' | 'reroute' | 'recipient' }
>;

/** What operators ask. Refused from `reporting` on: the report is on its way, or the row is final. */
function steer(standing: DeliveryStanding, event: SteerEvent): Reached | undefined {
  const { state, attempts } = standing;
  if (state === 'leased') return wish(standing, event);
  if (!isClaimable(state) && state !== 'held' && state !== 'failed') return undefined;
  switch (event.kind) {
    case 'cancel':
      return { state: 'cancelled', attempts };
    case 'bounce':
      return state === 'failed' ? undefined : { state: 'failed', attempts, applied: 'bounce' };
    case 'hold':
      return isClaimable(state) ? { state: 'held', attempts } : undefined;
    case 'release':
      return state === 'held' ? waiting(attempts) : undefined;
    case 'retry':
      return state === 'held' ? undefined : waiting(attempts);
    default:
      // Held rows stay so: the change is there when they are released.
      return state === 'held' ? { state, attempts } : waiting(attempts);
  }
}

/** An attempt is under way: it is asked for now and happens when that ends. The last wish counts. */
function wish(standing: DeliveryStanding, { kind }: SteerEvent): DeliveryStanding | undefined {
  const { state, attempts, wanted } = standing;
  switch (kind) {
    case 'retry':
      return undefined;
    case 'release':
      // It takes back a hold that hasn't applied yet.
      return wanted === 'hold' ? { state, attempts } : undefined;
    case 'reroute':
    case 'recipient':
      // What is held with a change is held.
      return { state, attempts, wanted: wanted === 'hold' ? wanted : kind };
    default:
      return { state, attempts, wanted: kind };
  }
}

function applyWanted({ attempts, wanted }: DeliveryStanding): Reached {
  if (wanted === 'cancel') return { state: 'cancelled', attempts };
  if (wanted === 'hold') return { state: 'held', attempts };
  if (wanted === 'bounce') return { state: 'failed', attempts, applied: 'bounce' };
  return waiting(attempts);
}

const waiting = (attempts: number): DeliveryStanding => ({ state: attempts > 0 ? 'deferred' : 'queued', attempts });
