import { CannotCalculateChanges } from '../../errors.ts';
import { parseStateToken, stateToken } from '../../mailbox-rules.ts';
import type { Changes } from '../../ports/mailboxes.ts';
import type { SnapshotReads } from '../database.ts';
import { type MailContext, readAccount, stateOf } from './context.ts';
import type { MessageDocument } from './documents.ts';

type Changed = Pick<MessageDocument, '_id' | 'modseq' | 'createdModseq' | 'destroyedAt'>;
interface Event {
  message: Changed;
  at: number;
}

/**
 * What happened after `since`, as events in the order of their modseqs: the last change of each message and, where that isn't its creation, its
 * creation too. A page ends after an event; so a client that goes on from there has heard of every creation before a change.
 */
export function changes(context: MailContext, accountId: string, since: string, limit: number): Promise<Changes> {
  return readAccount(context, accountId, async (account, reads) => {
    const from = parseStateToken(since);
    if (from === undefined || from.incarnation !== context.incarnation) {
      throw new CannotCalculateChanges('no state of this store');
    }
    if (from.modseq > account.modseq) throw new CannotCalculateChanges('a state that the account never had');
    if (from.modseq < account.purgedModseq) throw new CannotCalculateChanges('too old');
    const events = await eventsAfter(reads, { accountId, since: from.modseq, limit: limit + 1 });
    const page = events.slice(0, limit);
    const hasMore = events.length > limit;
    return {
      ...sorted(page, from.modseq),
      mailboxesChanged: account.mailboxesModseq > from.modseq,
      newState: hasMore ? stateToken(context.incarnation, page.at(-1)?.at ?? from.modseq) : stateOf(context, account),
      hasMore,
    };
  });
}

async function eventsAfter(
  { messages, session }: SnapshotReads,
  { accountId, since, limit }: { accountId: string; since: number; limit: number },
): Promise<Event[]> {
  const projection = { modseq: 1, createdModseq: 1, destroyedAt: 1 } as const;
  const last = await messages
    .find<Changed>({ accountId, modseq: { $gt: since } }, { session, projection, hint: 'messages_by_modseq' })
    .sort({ modseq: 1 })
    .limit(limit)
    .toArray();
  const creations = await messages
    .find<Changed>(
      { accountId, changed: true, createdModseq: { $gt: since } },
      { session, projection, hint: 'messages_by_creation' },
    )
    .sort({ createdModseq: 1 })
    .limit(limit)
    .toArray();
  const events = [
    ...last.map((message): Event => ({ message, at: message.modseq })),
    ...creations.map((message): Event => ({ message, at: message.createdModseq })),
  ];
  return events.toSorted((a, b) => a.at - b.at).slice(0, limit);
}

/** RFC 8620 §5.2: each id once; what was created and changed is created; created and destroyed in one page is left out. */
function sorted(page: readonly Event[], since: number): { created: string[]; updated: string[]; destroyed: string[] } {
  const created = new Set<string>();
  const updated: string[] = [];
  const destroyed: string[] = [];
  for (const { message } of page) {
    const isNew = message.createdModseq > since;
    if (message.destroyedAt !== undefined) {
      // Its creation in this page, its end in the next: it is told as destroyed there, which names an id that the client needn't know.
      if (!isNew) destroyed.push(message._id);
    } else if (isNew) created.add(message._id);
    else updated.push(message._id);
  }
  return { created: [...created], updated, destroyed };
}
