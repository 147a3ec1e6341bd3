import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundedCache } from './bounded-cache.ts';

const at = { nowMs: 0, monotonicMs: () => at.nowMs };

test('past its cap a cache drops what was used least recently', () => {
  const cache = new BoundedCache<string, number>({ cap: 2, ttlMs: 1000, clock: at });
  cache.set('a', 1);
  cache.set('b', 2);
  assert.equal(cache.get('a'), 1);
  cache.set('c', 3);
  assert.equal(cache.get('b'), undefined);
  assert.equal(cache.get('a'), 1);
  assert.equal(cache.size, 2);
});

test('an entry ends at its age, however often it is read', () => {
  const cache = new BoundedCache<string, number>({ cap: 2, ttlMs: 1000, clock: at });
  cache.set('a', 1);
  at.nowMs += 999;
  assert.equal(cache.get('a'), 1);
  at.nowMs += 1;
  assert.equal(cache.get('a'), undefined);
  assert.equal(cache.size, 0);
});
