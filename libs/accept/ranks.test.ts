import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ranks } from './ranks.ts';

test('many messages of one sender stand behind the first one of another', () => {
  const ranks = new Ranks();
  let last = 0;
  for (let n = 0; n < 1000; n++) last = ranks.next('bulk@a.test', 'b.test', 4096, 1_000_000);
  assert.ok(ranks.next('other@a.test', 'b.test', 4096, 1_000_500) < last);
});

test('a sender with a million messages does not stand before another’s that comes minutes later', () => {
  const ranks = new Ranks();
  const earlier = Array.from({ length: 100_000 }, () => ranks.next('bulk@a.test', 'b.test', 4096, 1_000_000));
  const other = ranks.next('other@a.test', 'b.test', 4096, 1_000_000 + 5 * 60_000);
  assert.ok(earlier.filter((rank) => rank < other).length <= 5 * 60 + 1);
});

test('ranks of one sender at one destination only grow', () => {
  const ranks = new Ranks();
  let last = 0;
  for (const now of [100, 100, 50, 200, 150]) {
    const rank = ranks.next('a@a.test', 'b.test', 0, now);
    assert.ok(rank > last && rank > now);
    last = rank;
  }
});

test('a large message costs its sender more than a small one', () => {
  const ranks = new Ranks();
  assert.ok(ranks.next('a@a.test', 'b.test', 10_000_000, 0) > ranks.next('b@a.test', 'b.test', 10, 0));
});

test('the number of remembered senders is bounded, the last used stay', () => {
  const ranks = new Ranks(3);
  for (const sender of ['a', 'b', 'c']) ranks.next(sender, 'b.test', 0, 100);
  const second = ranks.next('a', 'b.test', 0, 100);
  ranks.next('d', 'b.test', 0, 100);
  assert.equal(ranks.size, 3);
  assert.equal(ranks.next('a', 'b.test', 0, 100), second + 1_000);
});
