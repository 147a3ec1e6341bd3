import { CannotCalculateChanges } from '../../../errors.ts';
import { parseStateToken, stateToken } from '../../../mailbox-rules.ts';
import type { Changes } from '../../../ports/mailboxes.ts';
import type { Connection } from '../../engine/connection.ts';
import { accountOf, incarnationOf, stateOf } from './account-state.ts';

interface Event {
  id: string;
  at: number;
  modseq: number;
  created_modseq: number;
  destroyed: number;
}

/**
 * What happened after `since`, as events in the order of their modseqs: the last change of each message and, where that isn't its creation, its
 * creation too. A page ends after an event; so a client that goes on from there has heard of every creation before a change.
 */
export function changes(connection: Connection, args: { accountId: string; since: string; limit: number }): Changes {
  const account = accountOf(connection, args.accountId);
  const incarnation = incarnationOf(connection);
  const since = parseStateToken(args.since);
  if (since === undefined || since.incarnation !== incarnation)
    throw new CannotCalculateChanges('no state of this store');
  if (since.modseq > account.modseq) throw new CannotCalculateChanges('a state that the account never had');
  if (since.modseq < account.purged_modseq) throw new CannotCalculateChanges('too old');

  const events = eventsAfter(connection, account.account, since.modseq, args.limit + 1);
  const page = events.slice(0, args.limit);
  const hasMore = events.length > args.limit;
  const end = hasMore ? (page.at(-1)?.at ?? since.modseq) : account.modseq;
  return {
    ...sorted(page, since.modseq),
    mailboxesChanged: account.mailboxes_modseq > since.modseq,
    newState: hasMore ? stateToken(incarnation, end) : stateOf(connection, account),
    hasMore,
  };
}

function eventsAfter(connection: Connection, account: number, since: number, limit: number): Event[] {
  const columns = 'id, modseq, created_modseq, destroyed_at IS NOT NULL AS destroyed';
  const last = connection.all<Event>(
    `SELECT ${columns}, modseq AS at FROM messages WHERE account = ? AND modseq > ? ORDER BY modseq LIMIT ?`,
    account,
    since,
    limit,
  );
  const creations = connection.all<Event>(
    `SELECT ${columns}, created_modseq AS at FROM messages WHERE account = ? AND created_modseq > ? AND modseq > created_modseq
     ORDER BY created_modseq LIMIT ?`,
    account,
    since,
    limit,
  );
  return [...last, ...creations].sort((a, b) => a.at - b.at).slice(0, limit);
}

/** RFC 8620 §5.2: each id once; what was created and changed is created; created and destroyed in one page is left out. */
function sorted(page: readonly Event[], since: number): { created: string[]; updated: string[]; destroyed: string[] } {
  const created = new Set<string>();
  const updated: string[] = [];
  const destroyed: string[] = [];
  for (const event of page) {
    const isNew = event.created_modseq > since;
    if (event.destroyed === 1) {
      // Its creation in this page, its end in the next: it is told as destroyed there, which names an id that the client needn't know.
      if (!isNew) destroyed.push(event.id);
    } else if (isNew) created.add(event.id);
    else updated.push(event.id);
  }
  return { created: [...created], updated, destroyed };
}
