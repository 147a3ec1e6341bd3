import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecipientOutcome } from '../../../libs/smtp/client/outcome.ts';
import { healthOf, isStale, isTooMany } from './outcomes.ts';

const said = (change: Partial<RecipientOutcome>): RecipientOutcome => ({
  address: 'a@far.test',
  kind: 'temporary',
  stage: 'rcpt',
  source: 'reply',
  code: 452,
  text: '',
  host: 'mx',
  ...change,
});
const taken = said({ kind: 'delivered', stage: 'final', code: 250 });

test('too many recipients is what a server says that has taken some, and not that a mailbox is full', () => {
  const tooMany = said({ enhanced: '4.5.3' });
  assert.equal(isTooMany(tooMany, [taken, tooMany]), true);
  assert.equal(isTooMany(said({}), [taken]), true);
  assert.equal(isTooMany(said({ code: 552, enhanced: '5.5.3' }), [taken]), true);
  assert.equal(isTooMany(tooMany, [tooMany]), false, 'the next transaction would end the same');
  assert.equal(isTooMany(said({ enhanced: '4.2.2' }), [taken]), false);
  assert.equal(isTooMany(said({ code: 451, enhanced: '4.5.3' }), [taken]), false);
});

test('a connection that ended before MAIL was answered was stale; one that ended later was not', () => {
  assert.equal(isStale([said({ stage: 'mail', source: 'connection' })]), true);
  assert.equal(isStale([said({ stage: 'mail', code: 421 })]), true);
  assert.equal(isStale([said({ stage: 'mail', code: 450 })]), false);
  assert.equal(isStale([said({ stage: 'final', source: 'connection', unknown: true })]), false);
});

test('what a server says of recipients and messages is no failure of its group; what it says of our rate, and silence, is', () => {
  assert.equal(healthOf([taken]), 'ok');
  assert.equal(healthOf([said({ kind: 'permanent', code: 550 })]), 'ok');
  assert.equal(healthOf([said({ code: 450 })]), 'ok', 'greylisting');
  assert.equal(healthOf([said({ code: 421 })]), 'failed');
  assert.equal(healthOf([said({ stage: 'mail', code: 450 })]), 'failed');
  assert.equal(healthOf([said({ stage: 'final', source: 'connection' })]), 'failed');
  assert.equal(healthOf([said({ source: 'client' })]), undefined);
});
