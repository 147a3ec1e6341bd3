import assert from 'node:assert/strict';
import test from 'node:test';
import { IndexQueue } from './index-queue.ts';

const entry = (id: string, tokens: number) => ({
  accountId: 'a',
  id,
  from: [],
  to: [],
  subject: [],
  text: Array.from({ length: tokens }, (_, n) => `t${n}`),
});

test('entries come out in order, in batches bounded by entries and by tokens', () => {
  const queue = new IndexQueue({ tokens: 1000, batchEntries: 3, batchTokens: 50 });
  for (const [id, tokens] of [
    ['a', 10],
    ['b', 10],
    ['c', 10],
    ['d', 40],
    ['e', 40],
  ] as const)
    assert.ok(queue.add(entry(id, tokens)));
  const batches = [queue.takeBatch(), queue.takeBatch(), queue.takeBatch(), queue.takeBatch()];
  assert.deepEqual(
    batches.map((batch) => batch.map(({ id }) => id).join('')),
    ['abc', 'd', 'e', ''],
  );
});

test('past its cap the queue takes nothing, and takes again when there is room', () => {
  const queue = new IndexQueue({ tokens: 100, batchEntries: 3, batchTokens: 1000 });
  assert.ok(queue.add(entry('a', 90)));
  assert.ok(!queue.add(entry('b', 11)));
  assert.equal(queue.takeBatch().length, 1);
  assert.ok(queue.add(entry('b', 11)));
  assert.equal(queue.length, 1);
});

test('an entry larger than a batch goes alone', () => {
  const queue = new IndexQueue({ tokens: 1000, batchEntries: 3, batchTokens: 50 });
  queue.add(entry('a', 500));
  assert.equal(queue.takeBatch().length, 1);
});
