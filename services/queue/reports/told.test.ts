import assert from 'node:assert/strict';
import test from 'node:test';
import { wantsFailureReport } from './told.ts';

const row = { sender: 'a@a.test', kind: 'inbox' } as const;

test('the sender is told of a failure unless it said otherwise', () => {
  assert.equal(wantsFailureReport(row), true);
  assert.equal(wantsFailureReport({ ...row, notify: ['SUCCESS', 'FAILURE'] }), true);
  assert.equal(wantsFailureReport({ ...row, notify: ['DELAY'] }), false);
});

test('B7: NOTIFY=NEVER and the null sender are never told', () => {
  assert.equal(wantsFailureReport({ ...row, notify: 'NEVER' }), false);
  assert.equal(wantsFailureReport({ ...row, sender: '' }), false);
});

test('a failed copy for the sent mailbox makes no report', () => {
  assert.equal(wantsFailureReport({ ...row, kind: 'sent' }), false);
});
