import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Connection } from '../../engine/connection.ts';
import { migrate } from '../../schema/index.ts';
import { inUseSql } from './row.ts';
import { idleDestinationsSql, idleGroupsSql, listSql } from './settings.ts';

test('each query of the limits of destinations searches an index, and sorts nothing', () => {
  const directory = mkdtempSync(join(tmpdir(), 'waypost-plans-'));
  const connection = new Connection(join(directory, 'plans.db'), { readOnly: false });
  try {
    migrate(connection);
    const plan = (sql: string): string =>
      connection
        .all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
        .map(({ detail }) => detail)
        .join('\n');
    assert.match(plan(inUseSql), /COVERING INDEX permits_group \(group_name=\? AND until>\?\)$/);
    assert.match(plan(idleGroupsSql), /mx_groups_used \(used_at<\?\)/);
    assert.match(plan(idleGroupsSql), /permits_group \(group_name=\?\)/);
    assert.match(plan(idleDestinationsSql), /destinations_seen \(seen_at<\?\)/);
    for (const table of ['mx_groups', 'destinations'] as const) {
      assert.match(plan(listSql('name', table)), /PRIMARY KEY \(name>\? AND name<\?\)$/);
    }
  } finally {
    connection.close();
    rmSync(directory, { recursive: true });
  }
});
