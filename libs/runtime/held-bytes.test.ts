import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeldBytes } from './held-bytes.ts';

test('so many bytes in all, so many for one holder, and what is given back can be held again', () => {
  const budget = new HeldBytes({ totalBytes: 100, perHolderBytes: 60 });
  const [first, second, third] = [budget.hold('ann'), budget.hold('ann'), budget.hold('ben')];
  assert.equal(first.grow(50), 'room');
  assert.equal(second.room(11), 'holderFull');
  assert.equal(second.grow(11), 'holderFull');
  assert.equal(second.grow(10), 'room');
  assert.equal(third.grow(41), 'full');
  assert.equal(third.grow(40), 'room');
  assert.equal(budget.bytes, 100);
  first.release();
  first.release();
  assert.equal(budget.bytes, 50);
  assert.equal(third.grow(10), 'room');
  second.release();
  third.release();
  assert.equal(budget.bytes, 0);
});

test('the only hold is let in however large it is, and then nobody else', () => {
  const budget = new HeldBytes({ totalBytes: 100, perHolderBytes: 60 });
  const large = budget.hold('ann');
  assert.equal(large.grow(500), 'room');
  assert.equal(large.grow(500), 'room');
  assert.equal(budget.hold('ben').grow(1), 'full');
  assert.equal(budget.hold('ann').grow(1), 'holderFull');
  large.release();
  assert.equal(budget.hold('ben').grow(1), 'room');
});
