import { joinBySubjectMs } from '../../../threading.ts';
import type { Connection } from '../../engine/connection.ts';

/** ThreadKeys as hashes, made on the main thread. */
export interface ThreadHashes {
  own: number | null;
  references: readonly number[];
  subject: number | null;
  joinsBySubject: boolean;
}

/**
 * The thread that the message joins (see libs/store/threading.ts), or `id`: it begins one, which is called after it. From now on the thread is
 * known by the message's own id, by all that it refers to, and by its subject.
 */
export function joinThread(
  connection: Connection,
  account: number,
  keys: ThreadHashes,
  message: { id: string; receivedAt: number },
): string {
  const { id, receivedAt } = message;
  const remember = (hash: number, threadId: string): boolean =>
    connection.run(rememberSql, account, hash, threadId, receivedAt) > 0;

  // Most mail begins a thread: then one insert both asks and answers whether its own id was known.
  const beginsOne = keys.references.length === 0 && !keys.joinsBySubject;
  const isNew = beginsOne && (keys.own === null || remember(keys.own, id));
  const threadId = isNew ? id : (knownThread(connection, account, keys, receivedAt) ?? id);
  if (!isNew) {
    if (keys.own !== null) remember(keys.own, threadId);
    for (const hash of keys.references) remember(hash, threadId);
  }
  if (keys.subject !== null) connection.run(subjectSql, account, keys.subject, threadId, receivedAt);
  return threadId;
}

function knownThread(
  connection: Connection,
  account: number,
  keys: ThreadHashes,
  receivedAt: number,
): string | undefined {
  const find = (hash: number): { thread_id: string; at: number } | undefined =>
    connection.get('SELECT thread_id, at FROM thread_references WHERE account = ? AND hash = ?', account, hash);

  for (const hash of keys.own === null ? keys.references : [keys.own, ...keys.references]) {
    const known = find(hash);
    if (known !== undefined) return known.thread_id;
  }
  if (!keys.joinsBySubject || keys.subject === null) return undefined;
  const known = find(keys.subject);
  return known !== undefined && receivedAt - known.at <= joinBySubjectMs ? known.thread_id : undefined;
}

const rememberSql =
  'INSERT INTO thread_references (account, hash, thread_id, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING';
const subjectSql = `INSERT INTO thread_references (account, hash, thread_id, at) VALUES (?, ?, ?, ?)
  ON CONFLICT DO UPDATE SET thread_id = excluded.thread_id, at = max(at, excluded.at)`;
