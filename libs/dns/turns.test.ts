import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from './turns.ts';

const never = new AbortController().signal;

test('so many at a time, the rest in line in their order, and past its end there is no place', async () => {
  const turns = new Turns({ most: 1, mostWaiting: 2 });
  const end = await turns.take(never);
  const order: number[] = [];
  const waiting = [1, 2].map(async (n) => {
    const mine = await turns.take(never);
    order.push(n);
    return mine;
  });
  assert.equal(await turns.take(never), undefined);
  assert.equal(turns.size, 3);
  end?.();
  (await waiting[0])?.();
  (await waiting[1])?.();
  assert.deepEqual([order, turns.size], [[1, 2], 0]);
});

test('who gives up leaves the line', async () => {
  const turns = new Turns({ most: 1, mostWaiting: 2 });
  const end = await turns.take(never);
  const giveUp = new AbortController();
  const gone = turns.take(giveUp.signal);
  const next = turns.take(never);
  giveUp.abort();
  assert.equal(await gone, undefined);
  assert.equal(await turns.take(giveUp.signal), undefined);
  end?.();
  (await next)?.();
  assert.equal(turns.size, 0);
});
