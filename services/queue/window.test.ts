import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { partitionOf } from '../../libs/delivery/partition.ts';
import { type DueRow, Window } from './window.ts';

const row = (destination: string, n: number, priority = 1): DueRow => ({
  id: `${destination}/${n}/${priority}`,
  destination,
  partition: partitionOf(destination),
  priority,
  rank: n,
});
const rows = (destination: string, many: number): DueRow[] =>
  Array.from({ length: many }, (_, n) => row(destination, n));
const all = (): boolean => true;
const ids = (taken: readonly DueRow[]): string[] => taken.map(({ id }) => id);

test('destinations take turns, whoever has more rows', () => {
  const window = new Window({ total: 100, perDestination: 50 });
  window.merge([...rows('a.test', 20), ...rows('b.test', 2)]);
  assert.deepEqual(ids(window.take(5, all)), ['a.test/0/1', 'b.test/0/1', 'a.test/1/1', 'b.test/1/1', 'a.test/2/1']);
});

test('the destination that was served longest ago begins the next batch', () => {
  const window = new Window({ total: 100, perDestination: 50 });
  window.merge([...rows('a.test', 5), ...rows('b.test', 5), ...rows('c.test', 5)]);
  assert.deepEqual(ids(window.take(2, all)), ['a.test/0/1', 'b.test/0/1']);
  assert.deepEqual(ids(window.take(2, all)), ['c.test/0/1', 'a.test/1/1']);
});

test('a report goes before ordinary mail of every destination', () => {
  const window = new Window({ total: 100, perDestination: 50 });
  window.merge([...rows('a.test', 5), row('b.test', 9, 0), row('a.test', 9, 0)]);
  assert.deepEqual(ids(window.take(3, all)), ['a.test/9/0', 'b.test/9/0', 'a.test/0/1']);
});

test('a full destination leaves room to the others, and what did not fit is told', () => {
  const window = new Window({ total: 30, perDestination: 10 });
  const { added, leftOut } = window.merge([...rows('a.test', 500), ...rows('b.test', 5)]);
  assert.equal(added, 15);
  assert.deepEqual([...leftOut], [partitionOf('a.test')]);
});

test('rows of partitions that are not held stay', () => {
  const window = new Window({ total: 30, perDestination: 10 });
  window.merge([...rows('a.test', 2), ...rows('b.test', 2)]);
  const taken = window.take(10, (partition) => partition === partitionOf('b.test'));
  assert.deepEqual(ids(taken), ['b.test/0/1', 'b.test/1/1']);
  window.dropPartitions([partitionOf('a.test')]);
  assert.equal(window.size, 0);
  assert.equal(window.destinations, 0);
});

test('whatever comes and goes, the caps hold, nothing is taken twice and the sizes are right', () => {
  const caps = { total: 25, perDestination: 6 };
  const action = fc.oneof(fc.array(fc.tuple(fc.nat(9), fc.nat(40)), { maxLength: 40 }), fc.nat(10));
  fc.assert(
    fc.property(fc.array(action, { maxLength: 30 }), (actions) => {
      const window = new Window(caps);
      const inside = new Set<string>();
      for (const next of actions) {
        if (typeof next === 'number') {
          for (const { id } of window.take(next, all)) assert.ok(inside.delete(id), `${id} was not inside`);
        } else {
          const before = window.size;
          const offered = next.map(([destination, n]) => row(`d${destination}.test`, n));
          const { added } = window.merge(offered);
          assert.equal(window.size, before + added);
          for (const { id } of offered) inside.add(id);
        }
        assert.ok(window.size <= caps.total);
        assert.ok(window.size <= inside.size);
      }
      const left = window.size;
      assert.equal(window.take(1000, all).length, left);
      assert.deepEqual([window.size, window.destinations, window.room], [0, 0, caps.total]);
    }),
  );
});
