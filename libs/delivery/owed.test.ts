import assert from 'node:assert/strict';
import test from 'node:test';
import { noticeTime, owedAfter, wantsDelayNotice, wantsFailureReport, wantsSuccessReport } from './owed.ts';
import { deliveryStates } from './state.ts';

const row = { sender: 'a@a.test', kind: 'remote' } as const;

test('without NOTIFY the sender is told of failure and delay, not of success', () => {
  assert.deepEqual([wantsFailureReport(row), wantsDelayNotice(row), wantsSuccessReport(row)], [true, true, false]);
});

test('NOTIFY lists all that the sender is told of', () => {
  for (const wishes of [['SUCCESS'], ['FAILURE'], ['DELAY'], ['FAILURE', 'SUCCESS'], ['SUCCESS', 'DELAY']] as const) {
    const asking = { ...row, notify: wishes };
    assert.deepEqual(
      [wantsSuccessReport(asking), wantsFailureReport(asking), wantsDelayNotice(asking)],
      (['SUCCESS', 'FAILURE', 'DELAY'] as const).map((wish) => wishes.some((asked) => asked === wish)),
    );
  }
});

test('B7: the null sender, NOTIFY=NEVER and the copy for the sent mailbox are told nothing', () => {
  const all = { notify: ['SUCCESS', 'FAILURE', 'DELAY'] } as const;
  for (const silent of [
    { ...row, ...all, sender: '' },
    { ...row, ...all, kind: 'sent' } as const,
    { ...row, notify: 'NEVER' } as const,
  ])
    assert.deepEqual(
      [wantsFailureReport(silent), wantsDelayNotice(silent), wantsSuccessReport(silent)],
      [false, false, false],
    );
});

test('success is owed of what was delivered here or handed on without DSN, when it was asked for', () => {
  const asking = { ...row, notify: ['SUCCESS'] } as const;
  const local = { ...asking, kind: 'inbox' } as const;
  assert.equal(owedAfter(local, { state: 'delivered', relayed: false }), 'success');
  assert.equal(owedAfter(asking, { state: 'delivered', relayed: true }), 'success');
  assert.equal(owedAfter(asking, { state: 'delivered', relayed: false }), undefined);
  assert.equal(owedAfter(row, { state: 'delivered', relayed: true }), undefined);
});

test('a notice of a delay is owed while the row waits', () => {
  const owing = { ...row, owes: 'delay' } as const;
  const waits = deliveryStates.filter((state) => owedAfter(owing, { state, relayed: false }) === 'delay');
  assert.deepEqual(waits, ['queued', 'leased', 'deferred', 'held']);
});

test('the notice counts from when the mail may first go, and is left out where expiry comes first', () => {
  const target = { ...row, dueAt: 1_000, expiresAt: 10_000 };
  assert.equal(noticeTime(target, 500), 1_500);
  assert.equal(noticeTime(target, 9_000), undefined);
  assert.equal(noticeTime({ ...target, notify: ['FAILURE'] }, 500), undefined);
});
