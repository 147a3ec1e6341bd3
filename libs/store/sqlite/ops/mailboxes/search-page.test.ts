import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { newId } from '../../../../runtime/ids.ts';
import type { ListCursor, MessageFilter } from '../../../ports/mailboxes.ts';
import { Connection } from '../../engine/connection.ts';
import { migrate } from '../../schema/index.ts';
import { reads, writes } from '../mailboxes.ts';

/** More than one page of a search walks past. */
const many = 6_000;

describe('a search that passes over many hits', () => {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-search-'));
  let connection: Connection;
  before(() => {
    connection = new Connection(join(folder, 'waypost.db'), { readOnly: false });
    migrate(connection);
    connection.exec('BEGIN');
  });
  after(() => {
    connection.exec('COMMIT');
    connection.close();
    rmSync(folder, { recursive: true });
  });

  it('answers short pages and comes to the last message', () => {
    const accountId = account(connection);
    const wanted = [1_000, 1_001].map((receivedAt) => letter(connection, accountId, 'inbox', receivedAt));
    for (let n = 0; n < many; n += 1) letter(connection, accountId, 'archive', 2_000 + n);
    const pages = pagesOf(connection, accountId, { mailbox: 'inbox', text: [['word']] });
    assert.deepEqual(pages.flat(), wanted.toReversed());
    assert.deepEqual(pages[0], []);
  });

  it('ends also where all hits came in one millisecond', () => {
    const accountId = account(connection);
    const wanted = letter(connection, accountId, 'inbox', 2_000);
    for (let n = 0; n < many; n += 1) letter(connection, accountId, 'archive', 2_000);
    const older = letter(connection, accountId, 'inbox', 1_000);
    const pages = pagesOf(connection, accountId, { mailbox: 'inbox', text: [['word']] });
    assert.deepEqual(pages.flat(), [wanted, older]);
  });
});

function account(connection: Connection): string {
  const id = newId();
  connection.run(
    `INSERT INTO directory_accounts (id, key, address, enabled, admin, quota_version, quota_copied, credential_version, created_at)
     VALUES (?1, ?1, ?1, 1, 0, 1, 1, 1, 1)`,
    id,
  );
  return id;
}

function letter(connection: Connection, accountId: string, role: 'inbox' | 'archive', receivedAt: number): string {
  const id = newId();
  writes['mailboxes.append'](connection, {
    accountId,
    role,
    messageId: id,
    kind: 'append',
    keywords: '[]',
    unread: true,
    hasAttachment: false,
    receivedAt,
    sizeBytes: 1,
    summary: '"from":[]}',
    thread: { own: null, references: [], subject: null, joinsBySubject: false },
    body: { kind: 'blob', ref: id },
    sha256: '',
  });
  writes['mailboxes.index'](connection, { entries: [{ accountId, id, from: '', to: '', subject: '', text: 'word' }] });
  return id;
}

/** Ids, page by page; fails when the pages don't end. */
function pagesOf(connection: Connection, accountId: string, filter: MessageFilter): string[][] {
  const pages: string[][] = [];
  let cursor: ListCursor | null | undefined;
  do {
    const page = reads['mailboxes.list'](connection, { accountId, filter, limit: 50, ...(cursor ? { cursor } : {}) });
    pages.push(page.messages.map((json) => /"id":"([^"]+)"/.exec(json)?.[1] ?? ''));
    cursor = page.next;
    assert.ok(pages.length < 10);
  } while (cursor !== null);
  return pages;
}
