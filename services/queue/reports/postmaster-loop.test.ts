import assert from 'node:assert/strict';
import test from 'node:test';
import { isPostmasterLoop } from './postmaster-loop.ts';

test('only a postmaster that writes to itself is not told', () => {
  assert.equal(isPostmasterLoop({ sender: 'Postmaster@a.test', recipient: 'postmaster@A.test' }), true);
  assert.equal(isPostmasterLoop({ sender: 'mailer-daemon@a.test', recipient: 'mailer-daemon@a.test' }), true);
  assert.equal(isPostmasterLoop({ sender: 'postmaster@a.test', recipient: 'bob@a.test' }), false);
  assert.equal(isPostmasterLoop({ sender: 'bob@a.test', recipient: 'bob@a.test' }), false);
});
