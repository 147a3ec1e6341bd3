import { type ActionRecord, auditIdAt, auditKeepMs, type NewActionRecord } from '../../ports/queue-audit.ts';
import type { Connection } from '../engine/connection.ts';

export const writes = { 'queueAudit.begin': begin, 'queueAudit.count': count };

export const reads = { 'queueAudit.get': get, 'queueAudit.list': list };

function begin(connection: Connection, { id, at, ...record }: NewActionRecord): void {
  connection.run(oldSql, auditIdAt(at - auditKeepMs));
  connection.run(beginSql, id, at, JSON.stringify(record));
}

/** A few with each new one. */
const oldSql = `DELETE FROM queue_actions WHERE id IN (SELECT id FROM queue_actions WHERE id < ? ORDER BY id LIMIT 20)`;
const beginSql = 'INSERT INTO queue_actions (id, at, record) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING';

function count(
  connection: Connection,
  { id, matched, changed, endedAt }: { id: string; matched: number; changed: number; endedAt?: number },
): void {
  connection.run(countSql, matched, changed, endedAt ?? null, id);
}

const countSql = `UPDATE queue_actions SET matched = matched + ?, changed = changed + ?, ended_at = coalesce(?, ended_at)
  WHERE id = ?`;

interface ActionColumns {
  id: string;
  at: number;
  record: string;
  matched: number;
  changed: number;
  endedAt: number | null;
}

const columns = 'SELECT id, at, record, matched, changed, ended_at AS endedAt FROM queue_actions';

function get(connection: Connection, { id }: { id: string }): ActionRecord | undefined {
  const found = connection.get<ActionColumns>(`${columns} WHERE id = ?`, id);
  return found === undefined ? undefined : toRecord(found);
}

function list(connection: Connection, { limit, cursor }: { limit: number; cursor?: string }): ActionRecord[] {
  // Ids are hexadecimal: all are below this.
  return connection
    .all<ActionColumns>(`${columns} WHERE id < ? ORDER BY id DESC LIMIT ?`, cursor ?? 'g', limit)
    .map(toRecord);
}

function toRecord({ id, at, record, matched, changed, endedAt }: ActionColumns): ActionRecord {
  // Written by `begin`.
  const about: Omit<NewActionRecord, 'id' | 'at'> = JSON.parse(record);
  return { id, at, ...about, matched, changed, ...(endedAt !== null && { endedAt }) };
}
