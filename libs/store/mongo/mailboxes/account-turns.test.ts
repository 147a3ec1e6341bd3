import assert from 'node:assert/strict';
import test from 'node:test';
import { AccountTurns } from './account-turns.ts';

test('changes that share an account run one after the other, in the order they came; others don’t wait', async () => {
  const turns = new AccountTurns();
  const log: string[] = [];
  const gates = new Map<string, () => void>();
  const change = (name: string, accounts: string[]): Promise<void> =>
    turns.run(accounts, async () => {
      log.push(`${name} begins`);
      await new Promise<void>((resolve) => gates.set(name, resolve));
      log.push(`${name} ends`);
    });
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  const all = [change('both', ['a', 'b']), change('a', ['a']), change('b', ['b']), change('c', ['c'])];
  await settled();
  assert.deepEqual(log, ['both begins', 'c begins']);
  gates.get('both')?.();
  await settled();
  assert.deepEqual(log.slice(2), ['both ends', 'a begins', 'b begins']);
  for (const name of ['a', 'b', 'c']) gates.get(name)?.();
  await Promise.all(all);
});

test('a change that fails lets the next one run', async () => {
  const turns = new AccountTurns();
  const failing = turns.run(['a'], () => Promise.reject(new Error('no')));
  const next = turns.run(['a'], () => Promise.resolve('done'));
  await assert.rejects(failing, /no/);
  assert.equal(await next, 'done');
});
