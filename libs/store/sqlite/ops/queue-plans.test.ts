import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { DeliveryFilter } from '../../ports/deliveries.ts';
import { Connection } from '../engine/connection.ts';
import { migrate } from '../schema/index.ts';
import { dueChecksSql, referringMessageSql } from './collection.ts';
import { endedLeasesSql, leasedSql } from './delivery-claims.ts';
import { dueSql, nextDestinationSql, nextDueSql, ripeSql } from './delivery-due.ts';
import { freshQueries, listQuery } from './delivery-list.ts';
import { doneSql, nextQueuedDestinationSql, oldestDueSql } from './delivery-queue.ts';
import { heldOfDestinationSql, leasedByDestinationSql, waitingOfDestinationSql } from './destination-counts.ts';
import { delayedSql } from './delivery-notices.ts';
import { expiredSql, failingSql, owingSql } from './delivery-reports.ts';
import { rowByNameSql, rowsOfMessageSql, standingSql } from './delivery-rows.ts';

/** What SQLite does for each query of the queue's use cases: a search of the index that was made for it, and no sort of many rows. */
describe('query plans of the queue', () => {
  let directory: string;
  let connection: Connection;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'waypost-plans-'));
    connection = new Connection(join(directory, 'plans.db'), { readOnly: false });
    migrate(connection);
  });
  after(() => {
    connection.close();
    rmSync(directory, { recursive: true });
  });

  const plan = (sql: string): string =>
    connection
      .all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
      .map(({ detail }) => detail)
      .join('\n');

  const queries: [name: string, sql: string, index: RegExp][] = [
    ['rows that are due', dueSql, /deliveries_ready \(lane=\? AND partition=\? AND destination=\?\)$/],
    [
      'the next ready destination',
      nextDestinationSql,
      /COVERING INDEX deliveries_ready \(lane=\? AND \(partition,dest/,
    ],
    ['the next queued destination', nextQueuedDestinationSql, /COVERING INDEX deliveries_ready \(lane=\?/],
    ['rows that fall due', ripeSql, /COVERING INDEX deliveries_due \(lane=\? AND due_at<\?\)$/],
    ['the next time that rows fall due', nextDueSql, /deliveries_due \(lane=\? AND due_at>\?\)$/],
    ['the oldest due', oldestDueSql, /COVERING INDEX deliveries_due \(lane=\?\)$/],
    [
      'waiting rows of a destination',
      waitingOfDestinationSql,
      /COVERING INDEX deliveries_ready \(lane=\? AND partition=\? AND destination=\?\)$/,
    ],
    ['held rows of a destination', heldOfDestinationSql, /COVERING INDEX deliveries_held \(destination=\?\)$/],
    ['rows past their time', expiredSql, /deliveries_alarm \(alarm_at<\?\)$/],
    ['rows whose sender is to be told of a delay', delayedSql, /deliveries_alarm \(alarm_at<\?\)$/],
    ['failures', failingSql, /deliveries_state \(state=\?\)$/],
    ['finished rows', doneSql, /deliveries_done \(updated_at<\?\)$/],
    ['a row by its id', rowByNameSql, /PRIMARY KEY[^]*message_id=\?/],
    ['the standing of a row', standingSql, /PRIMARY KEY[^]*message_id=\?/],
    ['rows of a message', rowsOfMessageSql, /PRIMARY KEY \(rowid>\? AND rowid<\?\)$/],
    ['bodies to look at', dueChecksSql, /accepts_check/],
    ['messages that refer to a body', referringMessageSql, /messages_once \(message_id=\?\)$/],
  ];
  for (const [name, sql, index] of queries) {
    it(name, () => {
      assert.match(plan(sql), index);
      assert.doesNotMatch(plan(sql), /SCAN|TEMP B-TREE/);
    });
  }

  it('leases: only what is leased now is looked through', () => {
    for (const sql of [endedLeasesSql, leasedSql, leasedByDestinationSql])
      assert.match(plan(sql), /SCAN (d|deliveries) USING (COVERING )?INDEX deliveries_leased/);
  });

  it('what is owed: only that is looked through', () => {
    assert.match(plan(owingSql), /^SCAN deliveries USING INDEX deliveries_owes$/);
  });

  const filters: [filter: DeliveryFilter, index: RegExp][] = [
    [{}, /PRIMARY KEY \(rowid<\?\)$/],
    [{ state: 'queued' }, /deliveries_state \(state=\? AND rowid<\?\)$/],
    [{ state: 'held', error: 'x' }, /deliveries_state \(state=\? AND rowid<\?\)$/],
    [{ state: 'delivered' }, /PRIMARY KEY \(rowid<\?\)$/],
    [{ state: 'leased' }, /INDEX deliveries_leased/],
    [{ sender: 'a' }, /deliveries_sender \(<expr>=\? AND sender=\? AND rowid<\?\)$/],
    [
      { recipient: 'a', sender: 'b', state: 'held', error: 'x' },
      /deliveries_recipient \(<expr>=\? AND recipient=\? AND rowid<\?\)$/,
    ],
    [{ destination: 'a', domain: 'b' }, /deliveries_destination \(<expr>=\? AND destination=\? AND rowid<\?\)$/],
    [{ domain: 'a', acceptedBefore: 1 }, /deliveries_domain \(<expr>=\? AND domain=\? AND rowid<\?\)$/],
    [{ error: 'a' }, /deliveries_error \(id<\?\)$/],
    [{ acceptedBefore: 1 }, /PRIMARY KEY \(rowid<\?\)$/],
  ];
  for (const [filter, index] of filters) {
    it(`the list by ${JSON.stringify(filter)}`, () =>
      assert.ok(
        plan(listQuery(filter).sql)
          .split('\n')
          .some((line) => index.test(line)),
        plan(listQuery(filter).sql),
      ));
  }

  it('the list by address, before the end of first attempts: queued rows newest first, leased rows all', () => {
    const [queued, leased] = freshQueries({ sender: 'a', error: 'x' }).map(({ sql }) => plan(sql));
    assert.match(queued ?? '', /deliveries_state \(state=\? AND rowid<\?\)$/);
    assert.match(leased ?? '', /INDEX deliveries_leased/);
    assert.deepEqual(freshQueries({ sender: 'a', state: 'delivered' }), []);
  });
});
