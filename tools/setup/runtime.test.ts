import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atLeast, minimumOf } from './runtime.mjs';

test('versions are compared by number, part by part', () => {
  const cases: [string, string, boolean][] = [
    ['24.15.0', '24.15.0', true],
    ['v24.21.0', '24.15.0', true],
    ['25.0.0', '24.15.0', true],
    ['24.9.0', '24.15.0', false],
    ['20.20.2', '24.15.0', false],
  ];
  for (const [version, minimum, enough] of cases) assert.equal(atLeast(version, minimum), enough, version);
});

test('a form of engines.node that is not understood stops set-up', () => {
  assert.equal(minimumOf('>=24.15.0'), '24.15.0');
  assert.throws(() => minimumOf('^24'), /engines\.node/);
});
