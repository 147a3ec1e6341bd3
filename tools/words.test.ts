import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wordProblems } from './words.ts';

const refused = [
  'cd /ro' + 'ot/mail',
  '"/wo' + 'rk/x"',
  '/home/' + 'ann/mail',
  'https://registry.' + 'example.org/x',
  '<<<<<<< ' + 'HEAD',
];
const allowed = [
  '$HOME/work/x',
  '/var/lib/waypost',
  './work/x',
  '/home/node/data',
  'https://example.org/registry',
  'a=======b',
];

for (const line of refused) test(`refused: ${line}`, () => assert.equal(wordProblems('a', `x\n${line}\n`).length, 1));
for (const line of allowed) test(`allowed: ${line}`, () => assert.deepEqual(wordProblems('a', line), []));
