import type { DeliveryRow, Notify, Target } from './row.ts';
import { type DeliveryState, isFinal } from './state.ts';

/**
 * What the sender is still to be told of a delivery besides its failure, which the state `failed` says: that it waits (`delay`), or that it succeeded
 * (`success`: delivered here, or handed to a server that passes no such wish on).
 */
export type Owed = 'delay' | 'success';

type Wish = Pick<DeliveryRow, 'sender' | 'kind'> & { notify?: Notify | undefined };

/** A sender that can be told, of something that is a recipient: not the null reverse-path (RFC 5321 §4.5.5), not the copy in one's own sent mailbox. */
const isTold = ({ sender, kind }: Pick<Wish, 'sender' | 'kind'>): boolean => sender !== '' && kind !== 'sent';

const asksFor = (notify: Notify | undefined, what: 'SUCCESS' | 'FAILURE' | 'DELAY', byCustom: boolean): boolean =>
  notify === undefined ? byCustom : notify !== 'NEVER' && notify.includes(what);

/** RFC 3461 §4.1: not with NOTIFY=NEVER, nor with a list that leaves FAILURE out. */
export const wantsFailureReport = (row: Wish): boolean => isTold(row) && asksFor(row.notify, 'FAILURE', true);

/** RFC 3461 §4.1: without NOTIFY it is ours to decide, and by custom the sender is told. */
export const wantsDelayNotice = (row: Wish): boolean => isTold(row) && asksFor(row.notify, 'DELAY', true);

/** RFC 3461 §4.1: only who asks for it. */
export const wantsSuccessReport = (row: Wish): boolean => isTold(row) && asksFor(row.notify, 'SUCCESS', false);

/**
 * What is owed once a row has come into this state. `relayed` as in Outcome: a row for outside that a server with DSN has taken is that server's to report
 * (RFC 3461 §5.2.2). A notice of a delay that is over, either way, is owed no more.
 */
export function owedAfter(
  row: Wish & { owes?: Owed | undefined },
  { state, relayed }: { state: DeliveryState; relayed: boolean },
): Owed | undefined {
  if (state === 'delivered')
    return wantsSuccessReport(row) && (row.kind === 'inbox' || relayed) ? 'success' : undefined;
  return isFinal(state) || state === 'failed' || state === 'reporting' ? undefined : row.owes;
}

/** When the sender is to be told that the target still waits; undefined when never, or not before it has failed anyway. Times in ms. */
export function noticeTime(
  target: Wish & Pick<Target, 'dueAt' | 'expiresAt'>,
  delayNoticeAfterMs: number,
): number | undefined {
  const at = target.dueAt + delayNoticeAfterMs;
  return wantsDelayNotice(target) && at < target.expiresAt ? at : undefined;
}
