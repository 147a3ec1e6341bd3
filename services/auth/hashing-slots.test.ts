import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { StoreBusy } from '../../libs/store/errors.ts';
import { HashingSlots } from './hashing-slots.ts';

describe('hashing slots', () => {
  it('run a few at a time in order, refuse past the queue, and are free again after an error', async () => {
    const slots = new HashingSlots({ concurrency: 2, maxWaiting: 2 });
    const gate = Promise.withResolvers<void>();
    const order: number[] = [];
    const work = (n: number) => async () => {
      order.push(n);
      await gate.promise;
      if (n === 1) throw new Error('failed');
    };
    const runs = [0, 1, 2, 3].map((n) => slots.run(work(n)));
    await assert.rejects(slots.run(work(4)), StoreBusy);
    assert.deepEqual([order, slots.waiting], [[0, 1], 2]);
    gate.resolve();
    const results = await Promise.allSettled(runs);
    assert.deepEqual(order, [0, 1, 2, 3]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
    );
    await slots.run(async () => {});
  });

  it('who gives up while waiting leaves the queue and never runs', async () => {
    const slots = new HashingSlots({ concurrency: 1, maxWaiting: 5 });
    const gate = Promise.withResolvers<void>();
    const first = slots.run(() => gate.promise);
    const leaving = new AbortController();
    let ran = false;
    const left = slots.run(async () => {
      ran = true;
    }, leaving.signal);
    leaving.abort(new Error('gone'));
    await assert.rejects(left, /gone/);
    assert.equal(slots.waiting, 0);
    gate.resolve();
    await first;
    await slots.run(async () => {});
    assert.equal(ran, false);
  });
});
