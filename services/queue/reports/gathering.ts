import { wantsSuccessReport } from '../../../libs/delivery/owed.ts';
import type { DeliveryRow } from '../../../libs/delivery/row.ts';
import { isClaimable } from '../../../libs/delivery/state.ts';
import { reportLimits } from '../limits.ts';

/** One report for all failures of a message, if the others come soon: not while a row is ready or leased, for a minute at most. */
export function failuresGather(rows: readonly DeliveryRow[], now: number): boolean {
  if (rows.some(({ state }) => state === 'reporting')) return false;
  const failed = rows.filter(({ state }) => state === 'failed');
  return isRecent(failed, now) && rows.some((row) => isUnderWay(row, now));
}

/** The same for those that were delivered: others whose sender asks for it too. */
export function successesGather(rows: readonly DeliveryRow[], now: number): boolean {
  const owing = rows.filter(({ owes }) => owes === 'success');
  if (owing.some(({ notice }) => notice !== undefined)) return false;
  return isRecent(owing, now) && rows.some((row) => wantsSuccessReport(row) && isUnderWay(row, now));
}

/** Rows of other partitions wait for the sweep of their owner to find that it is their time, too. */
export function delaysGather(rows: readonly DeliveryRow[], now: number): boolean {
  if (rows.some(({ owes, notice }) => owes === 'delay' && notice !== undefined)) return false;
  return rows.some(({ state, noticeAt }) => {
    const isNow = noticeAt !== undefined && noticeAt <= now && now - noticeAt < reportLimits.gatherMs;
    return isNow && (state === 'leased' || isClaimable(state));
  });
}

const isRecent = (rows: readonly DeliveryRow[], now: number): boolean =>
  rows.length > 0 && now - Math.min(...rows.map(({ updatedAt }) => updatedAt)) < reportLimits.gatherMs;

const isUnderWay = ({ state, dueAt }: DeliveryRow, now: number): boolean =>
  state === 'leased' || (isClaimable(state) && dueAt <= now);
