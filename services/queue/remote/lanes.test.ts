import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { partitionOf } from '../../../libs/delivery/partition.ts';
import type { DeliveryRow } from '../../../libs/delivery/row.ts';
import { Lanes } from './lanes.ts';

const row = (destination: string, n: number, change: Partial<DeliveryRow> = {}): DeliveryRow => ({
  v: 1,
  id: `${destination}${n}/0`,
  messageId: `${destination}${n}`,
  n: 0,
  kind: 'remote',
  recipient: `a@${destination}`,
  destination,
  partition: partitionOf(destination),
  priority: 1,
  rank: n,
  dueAt: 0,
  expiresAt: 1,
  sender: 's@example.test',
  sizeBytes: 1,
  state: 'queued',
  attempts: 0,
  acceptedAt: 0,
  updatedAt: 0,
  ...change,
});
const many = (destination: string, count: number, change: Partial<DeliveryRow> = {}): DeliveryRow[] =>
  Array.from({ length: count }, (_, n) => row(destination, n, change));
const open = (caps: { total: number; perLane: number }): Lanes =>
  new Lanes({ caps, keyOf: ({ destination }) => destination });

test('first tries and those that try again take turns, each in the order of waiting', () => {
  const lanes = open({ total: 100, perLane: 10 });
  lanes.merge(['a', 'b', 'c'].map((name) => row(name, 1, { attempts: 1 })));
  lanes.merge(['x', 'y'].map((name) => row(name, 1)));
  assert.deepEqual(
    lanes.upcoming(9).map(({ key }) => key),
    ['x', 'a', 'y', 'b', 'c'],
  );
  lanes.merge([row('c', 0, { priority: 0 })]);
  assert.equal(lanes.next()?.key, 'c', 'a lower priority goes first');
});

test('a lane that was served goes to the end of the line, one that is parked takes no turn', () => {
  const lanes = open({ total: 100, perLane: 10 });
  lanes.merge([...many('a', 3), ...many('b', 3), ...many('c', 3)]);
  lanes.take(lanes.get('a') ?? assert.fail(), 1);
  lanes.park(lanes.get('b') ?? assert.fail());
  assert.deepEqual(
    lanes.upcoming(9).map(({ key }) => key),
    ['c', 'a'],
  );
  lanes.unpark('b');
  assert.deepEqual(
    lanes.upcoming(9).map(({ key }) => key),
    ['c', 'a', 'b'],
  );
});

test('rows of one message are taken together, though others stand between them', () => {
  const lanes = open({ total: 100, perLane: 10 });
  const sibling = row('a', 9, { id: 'a0/1', messageId: 'a0' });
  lanes.merge([...many('a', 3), sibling]);
  const taken = lanes.take(lanes.get('a') ?? assert.fail(), 2);
  assert.deepEqual(
    taken.map(({ id }) => id),
    ['a0/0', 'a0/1'],
  );
});

test('a full window makes room for a new destination at the cost of the long ones', () => {
  const lanes = open({ total: 40, perLane: 20 });
  lanes.merge([...many('a', 30), ...many('b', 30)]);
  assert.equal(lanes.size, 40);
  lanes.merge([row('new', 1)]);
  assert.equal(lanes.get('new')?.rows.length, 1);
  assert.ok(lanes.size <= 40);
  assert.ok(lanes.get('a')?.more, 'what was given up is read again');
});

test('whatever comes and goes, the caps hold and nothing is taken twice', () => {
  const caps = { total: 20, perLane: 6 };
  const action = fc.oneof(fc.array(fc.tuple(fc.nat(12), fc.nat(30)), { maxLength: 30 }), fc.nat(8));
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const lanes = open(caps);
      for (const next of actions) {
        if (typeof next === 'number') {
          const lane = lanes.next();
          if (lane === undefined) continue;
          const ids = lanes.take(lane, next + 1).map(({ id }) => id);
          assert.equal(new Set(ids).size, ids.length);
        } else lanes.merge(next.map(([d, n]) => row(`d${d}`, n)));
        const rows = [...lanes.all()].flatMap((lane) => lane.rows);
        assert.equal(rows.length, lanes.size);
        assert.ok(lanes.size <= caps.total);
        assert.equal(lanes.inTurn, lanes.lanes);
      }
    }),
  );
});

test('a row that an operator has sent elsewhere since it was read leaves its lane', () => {
  const lanes = open({ total: 100, perLane: 10 });
  lanes.merge([row('a', 1), row('a', 2)]);
  lanes.merge([row('a', 1, { destination: 'b', partition: partitionOf('b') })]);
  assert.equal(lanes.get('a')?.rows.length, 1);
  assert.equal(lanes.get('b')?.rows[0]?.id, 'a1/0');
  lanes.merge([row('a', 2, { destination: 'b', partition: partitionOf('b') })]);
  assert.equal(lanes.get('a'), undefined);
  assert.deepEqual([lanes.size, lanes.upcoming(9).length], [2, 1]);
});
