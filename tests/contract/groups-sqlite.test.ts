import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { openSqliteStore } from '../../libs/store/sqlite/open.ts';
import { groupsContract } from './groups.ts';
import { limits, longMs, noon } from './groups-fixture.ts';

groupsContract('SQLite', async (options) => {
  const dataDir = await mkdtemp(join(tmpdir(), 'waypost-groups-'));
  const store = await openSqliteStore({ dataDir, groups: options });
  const close = () => store.close().finally(() => rm(dataDir, { recursive: true }));
  return { groups: store.groups, other: store.groups, close };
});

it('in SQLite a start finds every permit free and a full bucket, and what was set and learned as it was', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'waypost-groups-'));
  try {
    const request = { group: 'g.example', limits: limits({ connections: 1, perSecond: 1 }), now: noon };
    const acquire = { ...request, holder: 'a', want: 1, leaseMs: longMs };
    const first = await openSqliteStore({ dataDir });
    const { permits } = await first.groups.acquire(acquire);
    assert.equal((await first.groups.takeTokens({ ...request, want: 5 })).got, 1);
    await first.groups.report({ ...request, ok: 0, failed: 1, unreachable: 0 });
    await first.groups.setLimits('g.example', { perConnection: 3 }, noon);
    const learned = (await first.groups.groups(['g.example'])).get('g.example');
    await first.close();
    const second = await openSqliteStore({ dataDir });
    assert.deepEqual((await second.groups.groups(['g.example'])).get('g.example'), { ...learned, inUse: 0 });
    assert.deepEqual(await second.groups.release(permits), ['gone']);
    assert.equal((await second.groups.acquire(acquire)).permits.length, 1);
    assert.equal((await second.groups.takeTokens({ ...request, want: 5 })).got, 1);
    await second.close();
  } finally {
    await rm(dataDir, { recursive: true });
  }
});
