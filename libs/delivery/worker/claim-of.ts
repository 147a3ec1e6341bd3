import type { Batch } from '../../bus/requests.ts';
import type { Claim } from '../row.ts';

export type BatchRow = Batch['rows'][number];

/** What fences the outcome of a row. */
export const claimOf = (row: Pick<BatchRow, 'epoch'>, { claim }: Pick<Batch, 'claim'>): Claim => ({
  owner: claim.owner,
  epoch: row.epoch,
  token: claim.token,
});
