import assert from 'node:assert/strict';
import { test } from 'node:test';
import { localDestination } from '../delivery/partition.ts';
import { Ranks } from './ranks.ts';
import { buildTargets, type ResolvedRecipient, type TargetsRequest } from './targets.ts';

const alice = '01890000-0000-7000-8000-00000000000a';
const bob = '01890000-0000-7000-8000-00000000000b';

const local = (recipient: string, ...accountIds: string[]): ResolvedRecipient => ({
  recipient,
  resolution: {
    kind: 'local',
    targets: accountIds.map((accountId) => ({ accountId, address: recipient, enabled: true, overQuota: false })),
  },
});

const build = (recipients: ResolvedRecipient[], more: Partial<TargetsRequest> = {}) =>
  buildTargets(
    {
      recipients,
      sender: 's@x.test',
      sizeBytes: 10,
      priority: 1,
      nowMs: 1000,
      scheduleOf: () => ({ delayNoticeAfterMs: 4000, expireAfterMs: 5000 }),
      ...more,
    },
    new Ranks(),
  );

test('two aliases of one account are one copy, under the first address given', () => {
  const targets = build([local('info@a.test', alice, bob), local('sales@a.test', bob), local('bob@a.test', bob)]);
  assert.deepEqual(
    targets.map((target) => [target.n, target.accountId, target.recipient, target.kind]),
    [
      [0, alice, 'info@a.test', 'inbox'],
      [1, bob, 'info@a.test', 'inbox'],
    ],
  );
});

test('a remote address is one target whatever the case of its domain', () => {
  const remote = (recipient: string): ResolvedRecipient => ({
    recipient,
    resolution: { kind: 'remote', domain: 'far.test' },
  });
  const targets = build([remote('X@far.test'), remote('X@FAR.test'), remote('x@far.test')]);
  assert.deepEqual(
    targets.map((target) => [target.kind, target.recipient, target.destination]),
    [
      ['remote', 'X@far.test', 'far.test'],
      ['remote', 'x@far.test', 'far.test'],
    ],
  );
});

test('an alias that leads elsewhere forwards under a reverse-path of ours, and reports name the alias', () => {
  const outside = [
    { address: 'x@far.test', domain: 'far.test' },
    { address: 'y@near.test', domain: 'near.test' },
  ];
  const alias = local('team@a.test', alice);
  assert.ok(alias.resolution.kind === 'local');
  const direct: ResolvedRecipient = { recipient: 'y@NEAR.test', resolution: { kind: 'remote', domain: 'near.test' } };
  const targets = build([direct, { ...alias, resolution: { ...alias.resolution, outside }, notify: ['FAILURE'] }], {
    forwardedFrom: 'SRS0=x@a.test',
  });
  assert.deepEqual(
    targets.map(({ kind, recipient, destination, reversePath }) => [kind, recipient, destination, reversePath]),
    [
      ['remote', 'y@NEAR.test', 'near.test', undefined],
      ['inbox', 'team@a.test', localDestination(alice), undefined],
      ['remote', 'x@far.test', 'far.test', 'SRS0=x@a.test'],
    ],
  );
  assert.equal(targets[2]?.originalRecipient, 'rfc822;team@a.test');
  assert.deepEqual(targets[2]?.notify, ['FAILURE']);
});

test("the sender's own copy is a target beside the one that the sender is sent", () => {
  const targets = build([local('alice@a.test', alice)], { sentCopy: { accountId: alice, address: 'alice@a.test' } });
  assert.deepEqual(
    targets.map((target) => [target.kind, target.accountId, target.destination]),
    [
      ['inbox', alice, localDestination(alice)],
      ['sent', alice, localDestination(alice)],
    ],
  );
});

test('a send that is put off falls due, and expires, counted from then', () => {
  const [target] = build([local('alice@a.test', alice)], { dueAt: 9000 });
  assert.equal(target?.dueAt, 9000);
  assert.equal(target?.expiresAt, 14_000);
});
