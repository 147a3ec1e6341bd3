import assert from 'node:assert/strict';
import test from 'node:test';
import type { DeliveryRow } from '../../../libs/delivery/row.ts';
import { recipientReport } from './recipient-report.ts';

const row: DeliveryRow = {
  v: 1,
  id: 'm/0',
  messageId: 'm',
  n: 0,
  kind: 'remote',
  recipient: 'bob@far.test',
  originalRecipient: 'rfc822;Bob@far.test',
  destination: 'far.test',
  partition: 1,
  priority: 1,
  rank: 1,
  dueAt: 1,
  expiresAt: 9_000,
  sender: 'ann@near.test',
  sizeBytes: 1,
  state: 'failed',
  attempts: 1,
  acceptedAt: 1,
  updatedAt: 2,
};
const attempt = { at: 500, event: 'failed', host: 'mx.far.test', reply: '550 5.1.1 no such user' };

test('a failure names the server that refused, its reply, and when', () => {
  const refused: DeliveryRow = { ...row, lastReply: attempt.reply, lastReplyClass: 'permanent' };
  assert.deepEqual(recipientReport('failure', { row: refused, attempts: [attempt] }), {
    finalRecipient: 'bob@far.test',
    originalRecipient: 'rfc822;Bob@far.test',
    action: 'failed',
    status: '5.1.1',
    diagnosticCode: '550 5.1.1 no such user',
    remoteMta: 'mx.far.test',
    lastAttemptAt: 500,
  });
});

test('a server that gave no answer is not said to have given one', () => {
  const lost: DeliveryRow = { ...row, lastReply: '451 4.4.2 timed out', lastReplyClass: 'network' };
  const told = recipientReport('failure', { row: lost, attempts: [{ ...attempt, event: 'deferred' }] });
  assert.deepEqual([told.remoteMta, told.lastAttemptAt, told.status], [undefined, 500, '4.4.2']);
});

test('what was never tried has failed of its time', () => {
  const told = recipientReport('failure', { row: { ...row, attempts: 0 }, attempts: [] });
  assert.deepEqual([told.status, told.lastAttemptAt], ['4.4.7', undefined]);
});

test('a delay says until when it is tried; what operators did is no attempt', () => {
  const steered = { at: 700, event: 'retry', reply: 'by admin' };
  const waiting: DeliveryRow = { ...row, state: 'deferred', lastReply: '451 busy', lastReplyClass: 'temporary' };
  const told = recipientReport('delay', { row: waiting, attempts: [{ ...attempt, event: 'deferred' }, steered] });
  assert.deepEqual(
    [told.action, told.status, told.willRetryUntil, told.lastAttemptAt, told.diagnosticCode],
    ['delayed', '4.0.0', 9_000, 500, '451 busy'],
  );
});

test('success is delivered here, and relayed elsewhere', () => {
  const done: DeliveryRow = { ...row, state: 'delivered', lastReply: '250 2.1.5 fine', lastReplyClass: 'ok' };
  const remote = recipientReport('success', { row: done, attempts: [] });
  const local = recipientReport('success', { row: { ...done, kind: 'inbox' }, attempts: [] });
  assert.deepEqual([remote.action, remote.status, local.action], ['relayed', '2.1.5', 'delivered']);
});
