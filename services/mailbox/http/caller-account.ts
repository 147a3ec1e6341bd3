import { problem } from '../../../libs/http/problem.ts';
import type { Caller } from '../../../libs/http/route.ts';

/**
 * The account that a path names: the caller's own, as `me` or by its id. Any other is answered as if it didn't exist, for administrators too: nobody
 * reads another's mail, and no answer tells which ids exist.
 */
export function accountOf(caller: Caller, params: { account: string }): string {
  if (params.account !== 'me' && params.account !== caller.accountId) throw problem('notFound', 'account not found');
  return caller.accountId;
}
