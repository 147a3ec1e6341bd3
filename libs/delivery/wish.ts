import { partitionOf } from './partition.ts';
import type { DeliveryRow, Via, Wish } from './row.ts';

/** What an operator may ask of a row, with what it takes. */
export type Steer =
  | { action: 'hold' | 'release' | 'retry' | 'cancel' }
  /** `reply` is what the sender's report quotes. */
  | { action: 'bounce'; reply: string }
  | { action: 'reroute'; via: Via | null }
  | { action: 'recipient'; to: NonNullable<Wish['to']> };

export type SteerAction = Steer['action'];

/** What the action changes besides the state. */
export function wishOf(steer: Steer): Wish | undefined {
  if (steer.action === 'bounce') return { reply: steer.reply };
  if (steer.action === 'reroute') return { via: steer.via };
  return steer.action === 'recipient' ? { to: steer.to } : undefined;
}

type Addressed = Pick<DeliveryRow, 'kind' | 'recipient' | 'accountId' | 'destination' | 'partition' | 'via'>;

/** Whether the action means anything to a row of its kind, whatever its state: mail for mailboxes here has no route, one's own copy no other recipient. */
export function suits(kind: DeliveryRow['kind'], { action }: Steer): boolean {
  if (action === 'reroute') return kind === 'remote';
  return action !== 'recipient' || kind !== 'sent';
}

/** The later wish goes before the earlier; a route that was for the recipient of before goes with it. */
export function joined(earlier: Wish | undefined, later: Wish | undefined): Wish | undefined {
  if (earlier === undefined || later === undefined) return later ?? earlier;
  const { via: _, ...others } = earlier;
  return later.to === undefined ? { ...earlier, ...later } : { ...others, ...later };
}

/** Where the row goes by the wish, and to whom. */
export function changedBy(row: Addressed, { to, via }: Wish): Addressed {
  const { kind, recipient, accountId, destination, partition } = row;
  const here: Addressed = { kind, recipient, destination, partition, ...(accountId !== undefined && { accountId }) };
  const there: Addressed = to === undefined ? here : { ...to, partition: partitionOf(to.destination) };
  const next = via ?? (via === null || to !== undefined ? undefined : row.via);
  return there.kind === 'remote' && next !== undefined ? { ...there, via: next } : there;
}

/** True when the wish changes where the row goes. */
export const redirects = (wish: Wish | undefined): wish is Wish => wish?.to !== undefined || wish?.via !== undefined;

/** For the trace: who asked, and for what. `record`: the audit record of an action on many rows. */
export function toldOf(steer: Steer, row: Pick<DeliveryRow, 'recipient'>, actor: string, record?: string): string {
  const by = record === undefined ? `by ${actor}` : `by ${actor} (action ${record})`;
  if (steer.action === 'bounce') return `${by}: ${steer.reply}`;
  if (steer.action === 'reroute')
    return `${by}: ${steer.via === null ? 'as its domain says' : `to ${nameOf(steer.via)}`}`;
  return steer.action === 'recipient' ? `${by}: from ${row.recipient} to ${steer.to.recipient}` : by;
}

const nameOf = (via: Via): string => ('route' in via ? `route ${via.route}` : `${via.host}:${via.port}`);
