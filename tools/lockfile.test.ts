import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completeLockfile, lockfileProblems } from './lockfile.ts';

const lock = {
  packages: {
    '': {},
    'node_modules/tool': {
      version: '1.0.0',
      dev: true,
      optionalDependencies: { 'tool-linux-x64-musl': '1.0.0', plugin: '^2' },
    },
  },
};

test('a binary package that npm left out is added for its machine, and then nothing is missing', () => {
  assert.equal(lockfileProblems(lock).length, 1);
  const complete = completeLockfile(lock);
  assert.deepEqual(complete.packages['node_modules/tool-linux-x64-musl'], {
    version: '1.0.0',
    cpu: ['x64'],
    dev: true,
    libc: ['musl'],
    optional: true,
    os: ['linux'],
  });
  assert.deepEqual(lockfileProblems(complete), []);
});

test('the address a package was fetched from is refused', () => {
  const problems = lockfileProblems({
    packages: { 'node_modules/a': { version: '1.0.0', resolved: 'https://example.test/a.tgz' } },
  });
  assert.match(problems.join(), /address/);
});
