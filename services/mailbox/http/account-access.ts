import type { Bus } from '../../../libs/bus/port.ts';
import { problem } from '../../../libs/http/problem.ts';
import type { Caller } from '../../../libs/http/route.ts';
import { isId } from '../../../libs/runtime/ids.ts';

export interface AccountHttpDeps {
  bus: Bus;
  config: { trustedProxies: readonly string[] };
}

/** The id of the account that a path names: one's own, or any for administrators. Another's looks like one that isn't there. */
export function reachableAccount(caller: Caller, account: string, scope: 'directory:read' | 'directory:write'): string {
  if (account === 'me' || account === caller.accountId) return caller.accountId;
  if (!caller.admin || !isId(account)) throw problem('notFound', 'account not found');
  if (caller.scopes.length > 0 && !caller.scopes.includes(scope)) {
    throw problem('insufficientScope', undefined, { extra: { scope } });
  }
  return account;
}

/** A token or an application password must not make something that reaches further than it does. */
export function needPassword(caller: Caller): void {
  if (caller.scopes.length > 0) throw problem('forbidden', 'this needs the account’s own password');
}
