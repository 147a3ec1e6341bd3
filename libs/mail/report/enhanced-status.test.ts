import assert from 'node:assert/strict';
import { test } from 'node:test';
import { enhancedStatus } from './enhanced-status.ts';

test('the status is the enhanced code behind the basic one, else that of its class', () => {
  assert.equal(enhancedStatus('550 5.1.1 no such user', '45'), '5.1.1');
  assert.equal(enhancedStatus('550 no such user', '45'), '5.0.0');
  assert.equal(enhancedStatus('451-4.7.1 later', '45'), '4.7.1');
  assert.equal(enhancedStatus('250 2.1.5 delivered', '2'), '2.1.5');
});

test('a code elsewhere in the text, of another class or not of this form is no status', () => {
  assert.equal(enhancedStatus('550 see 2.0.0', '45'), '5.0.0');
  assert.equal(enhancedStatus('550 2.0.0 ok?', '45'), '5.0.0');
  assert.equal(enhancedStatus('450 4.1.10.7 x', '45'), '4.0.0');
  assert.equal(enhancedStatus('250 2.0.0 ok', '45'), undefined);
  assert.equal(enhancedStatus('999 9.9.9', '45'), undefined);
  assert.equal(enhancedStatus(undefined, '45'), undefined);
});
