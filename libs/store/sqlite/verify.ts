import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Blobs } from '../../blobs/port.ts';
import type { VerifyReport } from '../verify-report.ts';
import { Connection } from './engine/connection.ts';

/**
 * Reads a store from end to end beside the process that uses it: SQLite's own check, each body against its SHA-256, counts and quota use of every
 * mailbox against its rows. One snapshot, so that mail which arrives meanwhile is no fault. Rejects when there is no store.
 */
export async function verifySqliteStore(dataDir: string, blobs: Pick<Blobs, 'read'>): Promise<VerifyReport> {
  const file = join(dataDir, 'waypost.db');
  if (!existsSync(file)) throw new Error(`there is no store in ${dataDir}: WAYPOST_DATA_DIR says where it is`);
  const connection = new Connection(file, { readOnly: true });
  connection.run('BEGIN');
  try {
    const faults = [...integrityFaults(connection), ...countFaults(connection), ...referenceFaults(connection)];
    const { bodies, faults: bodyFaults } = await checkBodies(connection, blobs);
    const accounts = connection.get<{ n: number }>('SELECT count(*) AS n FROM mail_accounts')?.n ?? 0;
    return { bodies, accounts, faults: [...faults, ...bodyFaults] };
  } finally {
    connection.run('COMMIT');
    connection.close();
  }
}

function integrityFaults(connection: Connection): string[] {
  const rows = connection.all<{ integrity_check: string }>('PRAGMA integrity_check');
  return rows.map((row) => row.integrity_check).filter((line) => line !== 'ok');
}

/** Counts are kept beside the rows so that they cost nothing to read: they must say the same. */
function countFaults(connection: Connection): string[] {
  const mailboxes = connection.all<{ id: string }>(
    `SELECT b.id FROM mailboxes b LEFT JOIN (SELECT mailbox, count(*) AS total, sum(unread) AS unread FROM mailbox_messages GROUP BY mailbox) m
       ON m.mailbox = b.mailbox
      WHERE b.total <> ifnull(m.total, 0) OR b.unread <> ifnull(m.unread, 0)`,
  );
  const accounts = connection.all<{ id: string }>(
    `SELECT a.id FROM mail_accounts a
       LEFT JOIN (SELECT account, count(*) AS n, sum(size) AS bytes FROM messages WHERE destroyed_at IS NULL GROUP BY account) m ON m.account = a.account
      WHERE a.used_messages <> ifnull(m.n, 0) OR a.used_bytes <> ifnull(m.bytes, 0)`,
  );
  return [
    ...mailboxes.map(({ id }) => `mailbox ${id}: its counts are not those of its messages`),
    ...accounts.map(({ id }) => `account ${id}: its use is not that of its messages`),
  ];
}

/** A message that can be seen must have its bytes, and an open delivery its message. */
function referenceFaults(connection: Connection): string[] {
  const messages = connection.all<{ id: string }>(
    `SELECT m.id FROM messages m LEFT JOIN accepts a ON a.message_id = m.message_id LEFT JOIN bodies b ON b.seq = a.seq
      WHERE m.destroyed_at IS NULL AND b.seq IS NULL AND a.blob_ref IS NULL AND m.n NOT IN (SELECT n FROM message_bodies)`,
  );
  const deliveries = connection.all<{ id: number; message_id: string }>(
    'SELECT d.id, d.message_id FROM deliveries d LEFT JOIN accepts a ON a.message_id = d.message_id WHERE d.state < 6 AND a.seq IS NULL',
  );
  return [
    ...messages.map(({ id }) => `message ${id}: its bytes are missing`),
    ...deliveries.map(({ message_id }) => `a delivery of ${message_id}: its message is missing`),
  ];
}

interface BodyRow {
  seq: number;
  message_id: string;
  sha256: string;
  blob_ref: string | null;
  bytes: Uint8Array | null;
}

async function checkBodies(
  connection: Connection,
  blobs: Pick<Blobs, 'read'>,
): Promise<{ bodies: number; faults: string[] }> {
  const faults: string[] = [];
  let bodies = 0;
  let after = 0;
  while (true) {
    const rows = connection.all<BodyRow>(
      `SELECT a.seq, a.message_id, a.sha256, a.blob_ref, b.bytes FROM accepts a LEFT JOIN bodies b ON b.seq = a.seq
        WHERE a.seq > ? AND a.body_gone = 0 ORDER BY a.seq LIMIT ${rowsPerStep}`,
      after,
    );
    const last = rows.at(-1);
    if (last === undefined) return { bodies, faults };
    after = last.seq;
    for (const row of rows) {
      bodies += 1;
      const found = await sha256Of(row, blobs);
      if (found !== row.sha256)
        faults.push(`message ${row.message_id}: ${found ?? 'no bytes'} where ${row.sha256} was accepted`);
    }
  }
}

const rowsPerStep = 200;

async function sha256Of(row: BodyRow, blobs: Pick<Blobs, 'read'>): Promise<string | undefined> {
  const hash = createHash('sha256');
  if (row.bytes !== null) return hash.update(row.bytes).digest('hex');
  if (row.blob_ref === null) return undefined;
  try {
    for await (const chunk of blobs.read(row.blob_ref)) hash.update(chunk);
    return hash.digest('hex');
  } catch {
    // A blob that can't be read is the fault that is reported.
    return undefined;
  }
}
