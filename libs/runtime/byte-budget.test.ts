import assert from 'node:assert/strict';
import test from 'node:test';
import { ByteBudget } from './byte-budget.ts';

const never = new AbortController().signal;

test('what does not fit waits until enough is given back, in order', async () => {
  const budget = new ByteBudget(10);
  const order: string[] = [];
  const first = Promise.withResolvers<void>();
  const runs = [
    budget.run(8, never, () => first.promise),
    budget.run(9, never, async () => void order.push('nine')),
    budget.run(1, never, async () => void order.push('one')),
  ];
  assert.equal(budget.held, 8);
  first.resolve();
  await Promise.all(runs);
  assert.deepEqual(order, ['nine', 'one']);
  assert.equal(budget.held, 0);
});

test('more than the whole budget runs alone', async () => {
  const budget = new ByteBudget(10);
  assert.equal(await budget.run(1000, never, async () => budget.held), 10);
});

test('who gives up while waiting leaves the place to the next', async () => {
  const budget = new ByteBudget(10);
  const first = Promise.withResolvers<void>();
  const giveUp = new AbortController();
  const running = budget.run(6, never, () => first.promise);
  const waiting = budget.run(8, giveUp.signal, async () => 'never');
  const small = budget.run(4, never, async () => 'small');
  giveUp.abort(new Error('gave up'));
  await assert.rejects(waiting, /gave up/);
  assert.equal(await small, 'small');
  first.resolve();
  await running;
});

test('a failure gives the bytes back', async () => {
  const budget = new ByteBudget(10);
  await assert.rejects(
    budget.run(10, never, () => Promise.reject(new Error('no'))),
    /no/,
  );
  assert.equal(budget.held, 0);
});
