import type { BatchRow } from '../../../libs/delivery/worker/claim-of.ts';

/** Recipients of one message for one transaction. */
export interface PlannedTransaction {
  messageId: string;
  /** Of forwarded mail; undefined: the message's. */
  reversePath: string | undefined;
  sizeBytes: number;
  rows: readonly BatchRow[];
}

/** Rows of the same message and the same reverse-path go together, in the order of the first of each; the server's limit of recipients splits them later. */
export function planTransactions(rows: readonly BatchRow[]): PlannedTransaction[] {
  const together = Map.groupBy(rows, (row) => `${row.messageId} ${row.reversePath ?? ''}`);
  return [...together.values()].flatMap((some) => {
    const [first] = some;
    if (first === undefined) return [];
    return [{ messageId: first.messageId, reversePath: first.reversePath, sizeBytes: first.sizeBytes, rows: some }];
  });
}

/** The next ones that are read together. */
export function portionOf(
  planned: readonly PlannedTransaction[],
  most: { bytes: number; messages: number },
): readonly PlannedTransaction[] {
  let bytes = 0;
  const end = planned.findIndex(({ sizeBytes }, index) => {
    bytes += Math.min(sizeBytes, most.bytes);
    return index > 0 && (index >= most.messages || bytes > most.bytes);
  });
  return end === -1 ? planned : planned.slice(0, end);
}
