import assert from 'node:assert/strict';
import test from 'node:test';
import { systemClock } from '../../runtime/clock.ts';
import { KnownOwners } from './known-owners.ts';

test('an owner that has not answered is asked by nobody else, and the others are', async () => {
  const owners = new KnownOwners(systemClock);
  owners.heard('frozen');
  owners.heard('other');
  assert.equal(owners.next(), 'frozen');
  owners.heard('frozen');
  assert.equal(owners.next(), 'other');
  assert.equal(owners.next(), undefined);
  const waiting = owners.wait();
  owners.answered('frozen');
  await waiting;
  assert.equal(owners.next(), 'frozen', 'what was heard meanwhile isn’t lost');
});

test('one that could not claim is left alone for a while, and the others are asked', () => {
  let nowMs = 0;
  const owners = new KnownOwners({ ...systemClock, monotonicMs: () => nowMs });
  owners.heard('without a store');
  owners.next();
  owners.failed('without a store');
  owners.answered('without a store');
  owners.heard('without a store');
  owners.heard('other');
  assert.equal(owners.next(), 'other');
  assert.equal(owners.next(), undefined);
  nowMs += 2_000;
  owners.heard('without a store');
  assert.equal(owners.next(), 'without a store');
});

test('one that took a request and gave no answer is asked again only when it is heard of', () => {
  const owners = new KnownOwners(systemClock);
  owners.heard('frozen');
  owners.next();
  owners.heard('frozen');
  owners.forget('frozen');
  owners.answered('frozen');
  assert.equal(owners.next(), undefined);
  owners.heard('frozen');
  assert.equal(owners.next(), 'frozen');
});

test('each owner that is heard of wakes one of those who wait; at a poll an owner is asked once, however many wait', async () => {
  let nowMs = 0;
  const timers: (() => void)[] = [];
  const owners = new KnownOwners({
    ...systemClock,
    monotonicMs: () => nowMs,
    sleep: (_, signal) =>
      new Promise((resolve) => {
        timers.push(resolve);
        signal.addEventListener('abort', () => resolve());
      }),
  });
  let woken = 0;
  const waits = [1, 2, 3].map(() => owners.wait().then(() => woken++));
  owners.heard('a');
  owners.heard('b');
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(woken, 2);
  assert.deepEqual([owners.next(), owners.next(), owners.next()], ['a', 'b', undefined]);
  for (const owner of ['a', 'b']) owners.answered(owner);
  nowMs += 2_000;
  for (const fire of timers) fire();
  await Promise.all(waits);
  assert.deepEqual([owners.next(), owners.next(), owners.next()], ['a', 'b', undefined]);
  for (const owner of ['a', 'b']) owners.answered(owner);
  const late = owners.wait();
  nowMs += 1_000;
  for (const fire of timers) fire();
  await late;
  assert.equal(owners.next(), undefined, 'a second poll so soon asks nobody');
});
