import { newId } from '../../../runtime/ids.ts';
import { AlreadyExists, NotFound, Refused } from '../../errors.ts';
import { checkMailboxName, isInboxName, maxMailboxDepth, maxMailboxesPerAccount } from '../../mailbox-rules.ts';
import type { Mailbox } from '../../ports/mailboxes.ts';
import type { AccountWork, WorkedMailbox } from './account-work.ts';
import { rewrite } from './change-message.ts';
import { changeAccount, type MailContext, readAccount, stateOf } from './context.ts';
import type { MailboxEntry } from './documents.ts';

export function mailboxes(
  context: MailContext,
  accountId: string,
): Promise<{ state: string; mailboxes: readonly Mailbox[] }> {
  return readAccount(context, accountId, (account) =>
    Promise.resolve({
      state: stateOf(context, account),
      mailboxes: Object.entries(account.mailboxes).map(([id, entry]) => mailboxOf({ id, ...entry })),
    }),
  );
}

export function createMailbox(
  context: MailContext,
  accountId: string,
  { name, parentId }: { name: string; parentId: string | null },
): Promise<Mailbox> {
  return changeAccount(context, accountId, (work) => {
    checkPlace(work, { id: null, name, parentId, height: 1 });
    if (work.mailboxes.size >= maxMailboxesPerAccount) {
      throw new Refused('tooManyMailboxes', `at most ${maxMailboxesPerAccount} mailboxes`);
    }
    return Promise.resolve(mailboxOf(work.create(newId(), { name, parentId })));
  });
}

export function updateMailbox(
  context: MailContext,
  accountId: string,
  id: string,
  patch: { name?: string; parentId?: string | null },
): Promise<Mailbox> {
  return changeAccount(context, accountId, (work) => {
    const mailbox = work.mailbox(id);
    const { name = mailbox.name, parentId = mailbox.parentId } = patch;
    if (name !== mailbox.name || parentId !== mailbox.parentId) {
      if (mailbox.role !== null) throw new Refused('mailboxHasRole', 'a mailbox with a role keeps its name and place');
      checkPlace(work, { id, name, parentId, height: heightOf(work, id) });
      work.move(mailbox, { name, parentId });
    }
    return Promise.resolve(mailboxOf(mailbox));
  });
}

/** In steps that are transactions of their own: the messages go to `moveTo`, the mailbox itself goes with the last of them. */
export async function deleteMailbox(
  context: MailContext,
  accountId: string,
  id: string,
  { moveTo }: { moveTo?: string },
): Promise<void> {
  const step = (): Promise<boolean> => deleteStep(context, accountId, id, moveTo);
  while (!(await step()));
}

/** True when the mailbox has gone. */
function deleteStep(context: MailContext, accountId: string, id: string, moveTo: string | undefined): Promise<boolean> {
  const { database } = context;
  return changeAccount(context, accountId, async (work, session) => {
    const mailbox = work.mailbox(id);
    if (mailbox.role !== null) throw new Refused('mailboxHasRole', 'a mailbox with a role can’t be deleted');
    if (heightOf(work, id) > 1) throw new Refused('mailboxHasChild', 'the mailbox has others in it');
    if (moveTo === id) throw new Refused('mailboxInItself', 'the messages can’t go to the mailbox that is deleted');
    if (moveTo !== undefined) work.mailbox(moveTo);
    else if (mailbox.total > 0) throw new Refused('mailboxHasEmail', 'the mailbox has messages in it');
    if (moveTo !== undefined && mailbox.total > 0) {
      const messages = await database.messages
        .find({ accountId, mailboxIds: id }, { session, hint: 'messages_by_mailbox' })
        .limit(movedInOneStep)
        .toArray();
      for (const message of messages) {
        const others = message.mailboxIds.filter((other) => other !== id && other !== moveTo);
        const { keywords } = message;
        await rewrite(database, session, work, message, { keywords, mailboxIds: [...others, moveTo] });
      }
    }
    if (mailbox.total > 0) return false;
    work.delete(id);
    return true;
  });
}

/** Each is a statement of its own in the transaction. */
const movedInOneStep = 200;

const mailboxOf = ({
  id,
  name,
  parentId,
  role,
  total,
  unread,
}: WorkedMailbox | (MailboxEntry & { id: string })): Mailbox => ({
  id,
  name,
  parentId,
  role,
  totalEmails: total,
  unreadEmails: unread,
});

/** Levels of the mailbox and what is in it, itself included. */
function heightOf(work: AccountWork, id: string): number {
  let height = 1;
  for (const mailbox of work.mailboxes.values()) {
    const above = ancestors(work, mailbox.id).findIndex((ancestor) => ancestor.id === id);
    height = Math.max(height, above + 1);
  }
  return height;
}

/** From `id` upwards. The tree is never deeper than `maxMailboxDepth`. */
function ancestors(work: AccountWork, id: string | null): WorkedMailbox[] {
  const found: WorkedMailbox[] = [];
  for (let at = id; at !== null; ) {
    const mailbox = work.mailboxes.get(at);
    if (mailbox === undefined) throw new NotFound('mailbox');
    found.push(mailbox);
    at = mailbox.parentId;
  }
  return found;
}

/** Whether a mailbox of that name and height may be there. */
function checkPlace(
  work: AccountWork,
  place: { id: string | null; name: string; parentId: string | null; height: number },
): void {
  checkMailboxName(place.name);
  const above = ancestors(work, place.parentId);
  if (above.some(({ id }) => id === place.id)) throw new Refused('mailboxInItself', 'a mailbox can’t be inside itself');
  if (above.length + place.height > maxMailboxDepth) {
    throw new Refused('mailboxTooDeep', `mailboxes nest ${maxMailboxDepth} levels deep at most`);
  }
  const inbox = isInboxName(place.name, place.parentId);
  for (const other of work.mailboxes.values()) {
    if (other.parentId !== place.parentId || other.id === place.id) continue;
    if (other.name === place.name || (inbox && other.role === 'inbox')) throw new AlreadyExists('mailbox');
  }
}
