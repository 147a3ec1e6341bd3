import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { newId } from '../../../../runtime/ids.ts';
import type { MessageFilter } from '../../../ports/mailboxes.ts';
import { Connection, type SqlValue } from '../../engine/connection.ts';
import { migrate } from '../../schema/index.ts';
import { reads, writes } from '../mailboxes.ts';
import type { NewMessage } from './message-insert.ts';

/** Keeps the texts of the statements that operations run. */
class RecordingConnection extends Connection {
  readonly statements = new Set<string>();

  override get<Row>(sql: string, ...params: SqlValue[]): Row | undefined {
    this.statements.add(sql);
    return super.get<Row>(sql, ...params);
  }

  override all<Row>(sql: string, ...params: SqlValue[]): Row[] {
    this.statements.add(sql);
    return super.all<Row>(sql, ...params);
  }

  override run(sql: string, ...params: SqlValue[]): number {
    this.statements.add(sql);
    return super.run(sql, ...params);
  }
}

describe('statements of mailboxes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-plans-'));
  let connection: RecordingConnection;
  before(() => {
    connection = new RecordingConnection(join(folder, 'waypost.db'), { readOnly: false });
    migrate(connection);
  });
  after(() => {
    connection.close();
    rmSync(folder, { recursive: true });
  });

  it('each finds its rows by an index in their order: nothing is scanned, nothing is sorted', () => {
    useAll(connection);
    const plans = [...connection.statements].flatMap((sql) =>
      costlySteps(connection, sql).map((step) => `${step}: ${sql}`),
    );
    assert.deepEqual(plans, []);
    assert.ok(connection.statements.size > 40);
  });
});

/** What isn't a search by an index. The walk along what waits to be indexed is by its key, and ends at the limit; the search's index is FTS5's own. */
function costlySteps(connection: Connection, sql: string): string[] {
  const plan = connection.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`);
  return plan.map(({ detail }) => detail).filter((detail) => /SCAN|TEMP B-TREE/.test(detail) && !allowed.test(detail));
}

const allowed = /^SCAN (?:p$|s VIRTUAL TABLE INDEX |message_search VIRTUAL TABLE INDEX |CONSTANT ROW)/;

function useAll(connection: Connection): void {
  const accountId = newId();
  connection.run(
    `INSERT INTO directory_accounts (id, key, address, enabled, admin, quota_version, quota_copied, credential_version, created_at)
     VALUES (?, 'a@example.test', 'a@example.test', 1, 0, 1, 1, 1, 1)`,
    accountId,
  );
  writes['mailboxes.setQuota'](connection, { accountId, bytes: null, messages: null });
  const ids = Array.from({ length: 4 }, () => {
    const id = newId();
    const kept = { accountId, role: 'inbox', body: { kind: 'blob', ref: id }, sha256: '' } as const;
    writes['mailboxes.append'](connection, { ...message(id), ...kept });
    return id;
  });
  writes['mailboxes.index'](connection, {
    entries: ids.map((id) => ({ accountId, id, from: 'a', to: 'b', subject: 'c', text: 'd' })),
  });
  readAll(connection, accountId, ids);
  const box = writes['mailboxes.createMailbox'](connection, { accountId, name: 'x', parentId: null });
  writes['mailboxes.updateMailbox'](connection, { accountId, id: box.id, patch: { name: 'y' } });
  const patch = { keywords: { $seen: true }, mailboxIds: { [box.id]: true } };
  writes['mailboxes.update'](connection, { accountId, id: ids[0]!, patch });
  writes['mailboxes.update'](connection, { accountId, id: ids[0]!, patch: { keywords: { $seen: false } } });
  const other = reads['mailboxes.mailboxes'](connection, { accountId }).mailboxes[0]!;
  writes['mailboxes.deleteMailbox'](connection, { accountId, id: box.id, moveTo: other.id, limit: 10 });
  writes['mailboxes.destroy'](connection, { accountId, id: ids[0]!, now: 1 });
  writes['mailboxes.purge'](connection, { before: 2, limit: 10 });
  const delivery = {
    deliveryId: `${newId()}/0`,
    claim: { owner: '', epoch: 0, token: '' },
    accountId,
    role: 'inbox',
  } as const;
  writes['mailboxes.deliver'](connection, {
    deliveries: [{ ...message(newId()), ...delivery, kind: 'inbox' }],
    now: 1,
  });
  while (writes['mailboxes.removeAccount'](connection, { accountId, limit: 2, now: 1 }) > 0);
}

function readAll(connection: Connection, accountId: string, ids: readonly string[]): void {
  const flags = [undefined, true, false];
  for (const mailbox of [undefined, 'inbox'])
    for (const unread of flags)
      for (const hasAttachment of flags)
        for (const text of [undefined, [['d']]]) {
          const filter = { mailbox, unread, hasAttachment, text } as MessageFilter;
          reads['mailboxes.list'](connection, { accountId, filter, limit: 2 });
        }
  reads['mailboxes.get'](connection, { accountId, id: ids[0]! });
  reads['mailboxes.raw'](connection, { accountId, id: ids[0]! });
  reads['mailboxes.changes'](connection, { accountId, since: '1.0', limit: 2 });
  reads['mailboxes.usage'](connection, { accountIds: [accountId] });
  reads['mailboxes.unindexed'](connection, { limit: 2 });
}

const message = (id: string): NewMessage => ({
  messageId: id,
  kind: 'append',
  keywords: '[]',
  unread: true,
  hasAttachment: true,
  receivedAt: 1_000,
  sizeBytes: 10,
  summary: '"from":[]}',
  thread: { own: id.length, references: [7], subject: 8, joinsBySubject: false },
});
