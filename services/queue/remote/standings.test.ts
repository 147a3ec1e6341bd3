import assert from 'node:assert/strict';
import test from 'node:test';
import { defaultLimits } from '../../../libs/delivery/limits/limits.ts';
import { systemClock } from '../../../libs/runtime/clock.ts';
import { unusedGroup } from '../../../libs/store/group-rules.ts';
import type { GroupStanding } from '../../../libs/store/ports/groups.ts';
import { BatchesOut } from './batches-out.ts';
import { Standings } from './standings.ts';

const asked = { destination: 'a.test', group: 'g.test', limits: defaultLimits };

/** As the store would say it. */
async function standingsWith(change: Partial<GroupStanding>) {
  const out = new BatchesOut(() => 0);
  const standing = { ...unusedGroup('g.test'), allowed: 50, ...change };
  const groups = {
    groups: async () => new Map([['g.test', standing]]),
    standing: async () => new Map(),
  };
  const standings = new Standings({ groups, out, clock: systemClock });
  await standings.refresh([asked]);
  const add = (many: number) => {
    for (let n = 0; n < many; n++) out.add(`${n}`, { group: 'g.test', rows: 1, lastId: '', endsAtMs: 1 });
  };
  return { out, add, verdict: () => standings.verdict(asked) };
}

test('room is what the limit, what it takes well and the connections of others leave', async () => {
  assert.deepEqual((await standingsWith({})).verdict(), { kind: 'go', limits: defaultLimits, room: 20 });
  const slow = await standingsWith({ allowed: 3.9 });
  assert.deepEqual(slow.verdict(), { kind: 'go', limits: defaultLimits, room: 3 });
  const shared = await standingsWith({ inUse: 15 });
  assert.deepEqual(shared.verdict(), { kind: 'go', limits: defaultLimits, room: 5 });
  shared.add(5);
  // Of the 15 in use, as many as our batches may be ours.
  assert.deepEqual(shared.verdict(), { kind: 'go', limits: defaultLimits, room: 5 });
});

test('connections that workers keep from batches of ours don’t count against us', async () => {
  const { out, add, verdict } = await standingsWith({ inUse: 20 });
  add(20);
  assert.deepEqual(verdict(), { kind: 'full' });
  for (let n = 0; n < 20; n++) out.ended(`${n}`);
  assert.deepEqual(verdict(), { kind: 'go', limits: defaultLimits, room: 20 });
});

test('after a rest it is given one, and while it rests or is paused none', async () => {
  const now = Date.now();
  const after = await standingsWith({ resting: { until: now - 1, failures: 2 } });
  assert.deepEqual(after.verdict(), { kind: 'go', limits: defaultLimits, room: 1 });
  after.add(1);
  assert.deepEqual(after.verdict(), { kind: 'full' });
  const resting = await standingsWith({ resting: { until: now + 60_000, failures: 2 } });
  assert.deepEqual(resting.verdict(), { kind: 'resting', until: now + 60_000 });
  assert.deepEqual((await standingsWith({ paused: { actor: 'a', at: 0 } })).verdict(), { kind: 'paused' });
});
