import { AlreadyExists, NotFound, Refused } from '../../../errors.ts';
import { checkMailboxName, isInboxName, maxMailboxDepth, maxMailboxesPerAccount } from '../../../mailbox-rules.ts';
import { newId } from '../../../../runtime/ids.ts';
import type { Mailbox, MailboxRole } from '../../../ports/mailboxes.ts';
import type { Connection } from '../../engine/connection.ts';
import { accountOf, openAccount, stateOf } from './account-state.ts';
import { AccountWork } from './account-work.ts';
import { parseList, type StoredMessage } from './message-rows.ts';
import { rewrite } from './update.ts';

export function mailboxes(
  connection: Connection,
  args: { accountId: string },
): { state: string; mailboxes: Mailbox[] } {
  const account = accountOf(connection, args.accountId);
  const tree = treeOf(connection, account.account);
  return {
    state: stateOf(connection, account),
    mailboxes: [...tree.values()].map(({ height: _, ...mailbox }) => mailbox),
  };
}

export function createMailbox(
  connection: Connection,
  args: { accountId: string; name: string; parentId: string | null },
): Mailbox {
  const work = new AccountWork(connection, openAccount(connection, args.accountId));
  const tree = treeOf(connection, work.account);
  checkPlace(tree, { id: null, name: args.name, parentId: args.parentId, height: 1 });
  if (tree.size >= maxMailboxesPerAccount)
    throw new Refused('tooManyMailboxes', `at most ${maxMailboxesPerAccount} mailboxes`);
  const id = newId();
  const modseq = work.nextModseq();
  // IMAP needs a new validity for a mailbox of a name that was there before (RFC 9051 §2.3.1.1).
  const validity = connection.get<{ next: number }>(
    'UPDATE mail_accounts SET uid_validity = uid_validity + 1 WHERE account = ? RETURNING uid_validity - 1 AS next',
    work.account,
  );
  connection.run(
    `INSERT INTO mailboxes (account, id, parent, name, uid_validity, modseq)
     VALUES (?1, ?2, (SELECT mailbox FROM mailboxes WHERE account = ?1 AND id = ?3), ?4, ?5, ?6)`,
    work.account,
    id,
    args.parentId,
    args.name,
    validity?.next ?? 1,
    modseq,
  );
  work.mailboxesChanged();
  work.save();
  return { id, name: args.name, parentId: args.parentId, role: null, totalEmails: 0, unreadEmails: 0 };
}

export function updateMailbox(
  connection: Connection,
  args: { accountId: string; id: string; patch: { name?: string; parentId?: string | null } },
): Mailbox {
  const work = new AccountWork(connection, openAccount(connection, args.accountId));
  const tree = treeOf(connection, work.account);
  const mailbox = inTree(tree, args.id);
  const { name = mailbox.name, parentId = mailbox.parentId } = args.patch;
  const { height, ...before } = mailbox;
  if (name === mailbox.name && parentId === mailbox.parentId) return before;
  if (mailbox.role !== null) throw new Refused('mailboxHasRole', 'a mailbox with a role keeps its name and place');
  checkPlace(tree, { id: args.id, name, parentId, height });
  connection.run(
    `UPDATE mailboxes SET name = ?1, parent = (SELECT mailbox FROM mailboxes WHERE account = ?2 AND id = ?3), modseq = ?4
     WHERE account = ?2 AND id = ?5`,
    name,
    work.account,
    parentId,
    work.nextModseq(),
    args.id,
  );
  work.mailboxesChanged();
  work.save();
  return { ...before, name, parentId };
}

/**
 * One step of deleting a mailbox: with `moveTo`, at most `limit` messages go there; 'more' while some are left. Steps are transactions of their own, so that a
 * mailbox of a million messages doesn't stop all other writes; the mailbox itself goes with the last one.
 */
export function deleteMailbox(
  connection: Connection,
  args: { accountId: string; id: string; moveTo?: string; limit: number },
): 'more' | 'deleted' {
  const work = new AccountWork(connection, openAccount(connection, args.accountId));
  const tree = treeOf(connection, work.account);
  const mailbox = inTree(tree, args.id);
  if (mailbox.role !== null) throw new Refused('mailboxHasRole', 'a mailbox with a role can’t be deleted');
  if (mailbox.height > 1) throw new Refused('mailboxHasChild', 'the mailbox has others in it');
  if (args.moveTo === args.id)
    throw new Refused('mailboxInItself', 'the messages can’t go to the mailbox that is deleted');
  if (args.moveTo !== undefined) inTree(tree, args.moveTo);
  else if (mailbox.totalEmails > 0) throw new Refused('mailboxHasEmail', 'the mailbox has messages in it');
  const moved = args.moveTo === undefined ? 0 : moveAll(connection, work, args.id, args.moveTo, args.limit);
  const emptied = moved === mailbox.totalEmails;
  if (emptied) {
    connection.run('DELETE FROM mailboxes WHERE account = ? AND id = ?', work.account, args.id);
    work.nextModseq();
    work.mailboxesChanged();
  }
  work.save();
  return emptied ? 'deleted' : 'more';
}

function moveAll(connection: Connection, work: AccountWork, from: string, to: string, limit: number): number {
  const rows = connection.all<StoredMessage>(
    'SELECT m.* FROM mailbox_messages b CROSS JOIN messages m ON m.n = b.n WHERE b.mailbox = ? LIMIT ?',
    work.mailbox(from).mailbox,
    limit,
  );
  for (const row of rows) {
    const mailboxIds = parseList(row.mailboxes).filter((id) => id !== from && id !== to);
    rewrite(connection, work, row, { keywords: parseList(row.keywords), mailboxes: [...mailboxIds, to] });
  }
  return rows.length;
}

/** `height`: its levels, itself included. */
type Node = Mailbox & { height: number };

function treeOf(connection: Connection, account: number): Map<string, Node> {
  const rows = connection.all<Omit<Mailbox, 'role'> & { role: MailboxRole | null }>(
    `SELECT m.id, m.name, p.id AS parentId, m.role, m.total AS totalEmails, m.unread AS unreadEmails
     FROM mailboxes m LEFT JOIN mailboxes p ON p.mailbox = m.parent WHERE m.account = ? ORDER BY m.mailbox`,
    account,
  );
  const tree = new Map(rows.map((row): [string, Node] => [row.id, { ...row, height: 1 }]));
  for (const node of tree.values()) {
    let height = 1;
    for (const above of ancestors(tree, node.parentId)) {
      height += 1;
      if (above.height < height) above.height = height;
    }
  }
  return tree;
}

function inTree(tree: ReadonlyMap<string, Node>, id: string): Node {
  const node = tree.get(id);
  if (node === undefined) throw new NotFound('mailbox');
  return node;
}

/** From `id` upwards. The tree is never deeper than `maxMailboxDepth`. */
function ancestors(tree: ReadonlyMap<string, Node>, id: string | null): Node[] {
  const found: Node[] = [];
  for (let at = id; at !== null; ) {
    const node = inTree(tree, at);
    found.push(node);
    at = node.parentId;
  }
  return found;
}

/** Whether a mailbox of that name and height may be there. */
function checkPlace(
  tree: ReadonlyMap<string, Node>,
  place: { id: string | null; name: string; parentId: string | null; height: number },
): void {
  checkMailboxName(place.name);
  const above = ancestors(tree, place.parentId);
  if (above.some(({ id }) => id === place.id)) throw new Refused('mailboxInItself', 'a mailbox can’t be inside itself');
  if (above.length + place.height > maxMailboxDepth)
    throw new Refused('mailboxTooDeep', `mailboxes nest ${maxMailboxDepth} levels deep at most`);
  const inbox = isInboxName(place.name, place.parentId);
  for (const other of tree.values()) {
    if (other.parentId !== place.parentId || other.id === place.id) continue;
    if (other.name === place.name || (inbox && other.role === 'inbox')) throw new AlreadyExists('mailbox');
  }
}
