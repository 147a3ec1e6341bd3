import { joinBySubjectMs } from '../../../threading.ts';
import type { Connection } from '../../engine/connection.ts';

/** ThreadKeys as hashes, made on the main thread. */
export interface ThreadHashes {
  own: number | null;
  references: readonly number[];
  subject: number | null;
  joinsBySubject: boolean;
}

/** The thread that the message joins (see libs/store/threading.ts), or `id`: it begins one, which is called after it. */
export function threadOf(
  connection: Connection,
  account: number,
  keys: ThreadHashes,
  message: { id: string; receivedAt: number },
): string {
  const hashes = keys.own === null ? keys.references : [keys.own, ...keys.references];
  for (const hash of hashes) {
    const known = find(connection, account, hash);
    if (known !== undefined) return known.thread_id;
  }
  if (!keys.joinsBySubject || keys.subject === null) return message.id;
  const known = find(connection, account, keys.subject);
  return known !== undefined && message.receivedAt - known.at <= joinBySubjectMs ? known.thread_id : message.id;
}

/** Makes the thread known under the message's own id, all that it refers to, and its subject. */
export function rememberThread(
  connection: Connection,
  account: number,
  keys: ThreadHashes,
  thread: { threadId: string; receivedAt: number },
): void {
  if (keys.own !== null) remember(connection, account, keys.own, thread);
  for (const hash of keys.references) remember(connection, account, hash, thread);
  if (keys.subject === null) return;
  connection.run(
    `INSERT INTO thread_references (account, hash, thread_id, at) VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET thread_id = excluded.thread_id, at = max(at, excluded.at)`,
    account,
    keys.subject,
    thread.threadId,
    thread.receivedAt,
  );
}

const find = (connection: Connection, account: number, hash: number): { thread_id: string; at: number } | undefined =>
  connection.get('SELECT thread_id, at FROM thread_references WHERE account = ? AND hash = ?', account, hash);

function remember(
  connection: Connection,
  account: number,
  hash: number,
  thread: { threadId: string; receivedAt: number },
): void {
  connection.run(
    'INSERT INTO thread_references (account, hash, thread_id, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
    account,
    hash,
    thread.threadId,
    thread.receivedAt,
  );
}
