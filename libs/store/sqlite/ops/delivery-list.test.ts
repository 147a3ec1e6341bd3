import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { newId } from '../../../runtime/ids.ts';
import type { DeliveryFilter } from '../../ports/deliveries.ts';
import { Connection } from '../engine/connection.ts';
import { migrate } from '../schema/index.ts';
import { bucketShift, targetsPerMessage } from './delivery-codes.ts';
import { reads } from './delivery-list.ts';

/** Enough messages for many buckets of the indexes of addresses. */
const messages = 3_000;
const perBucket = 2 ** bucketShift / targetsPerMessage;

describe('the list over many buckets', () => {
  let directory: string;
  let connection: Connection;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'waypost-list-'));
    connection = new Connection(join(directory, 'list.db'), { readOnly: false });
    migrate(connection);
    connection.run('BEGIN');
    for (let seq = 1; seq <= messages; seq++) insert(seq);
    connection.run('COMMIT');
  });
  after(() => {
    connection.close();
    rmSync(directory, { recursive: true });
  });

  /** Of every seventh message the first attempt has not ended. */
  function insert(seq: number): void {
    const messageId = newId();
    const [state, attempts] = seq % 7 === 0 ? [0, 0] : [6, 1];
    const sender = seq % 100 === 0 ? 'seldom@x.test' : 'often@x.test';
    connection.run(
      `INSERT INTO accepts (seq, message_id, accepted_at, reverse_path, details, trace, size_bytes, sha256) VALUES (?, ?, ?, ?, '{}', '', 1, '')`,
      seq,
      messageId,
      seq,
      sender,
    );
    connection.run(
      `INSERT INTO deliveries (id, message_id, state, lane, partition, destination, priority, rank, due_at, expires_at, attempts, updated_at,
        accepted_at, kind, recipient, domain, sender, size_bytes) VALUES (?, ?, ?, NULL, 0, 'a.test', 1, 1, 1, 9, ?, 1, ?, 2, ?, 'a.test', ?, 1)`,
      seq * targetsPerMessage,
      messageId,
      state,
      attempts,
      seq,
      `r${seq % 500}@a.test`,
      sender,
    );
  }

  /** All pages of a list, as the numbers of the messages. */
  function listed(filter: DeliveryFilter, limit: number): number[] {
    const found: number[] = [];
    for (let cursor: string | undefined, more = true; more; ) {
      const page = reads['deliveries.list'](connection, { filter, limit, ...(cursor !== undefined && { cursor }) });
      found.push(...page.map(({ acceptedAt }) => acceptedAt));
      cursor = page.at(-1)?.id;
      more = page.length === limit;
    }
    return found;
  }

  const newestFirst = Array.from({ length: messages }, (_, n) => messages - n);
  const cases: [filter: DeliveryFilter, has: (seq: number) => boolean][] = [
    [{ sender: 'seldom@x.test' }, (seq) => seq % 100 === 0],
    [{ sender: 'often@x.test' }, (seq) => seq % 100 !== 0],
    [{ sender: 'seldom@x.test', state: 'delivered' }, (seq) => seq % 100 === 0 && seq % 7 !== 0],
    [{ recipient: 'r3@a.test' }, (seq) => seq % 500 === 3],
    [{ recipient: 'r3@a.test', sender: 'nobody@x.test' }, () => false],
    [{ domain: 'a.test', acceptedBefore: 1_000, acceptedAfter: 400 }, (seq) => seq < 1_000 && seq >= 400],
  ];
  for (const [filter, has] of cases) {
    it(`finds all by ${JSON.stringify(filter)}, in pages of any size`, () => {
      const expected = newestFirst.filter(has);
      for (const limit of [3, perBucket, messages]) assert.deepEqual(listed(filter, limit), expected);
    });
  }
});
