import assert from 'node:assert/strict';
import test from 'node:test';
import {
  isLocalDestination,
  localDestination,
  localDestinationCount,
  partitionOf,
  partitionOfMessage,
} from './partition.ts';
import { partitionCount } from './row.ts';

test('hashes are what they were in the first release, for ever', () => {
  const known: [string, number][] = [
    ['local:0', 196],
    ['local:63', 132],
    ['example.com', 58],
    ['gmail.com', 98],
    ['xn--bcher-kva.example', 14],
  ];
  for (const [destination, partition] of known) assert.equal(partitionOf(destination), partition, destination);
  assert.equal(localDestination('01890a5d-ac96-774b-bcce-b302099a8057'), 'local:35');
  assert.equal(partitionOfMessage('01890a5d-ac96-774b-bcce-b302099a8057'), 227);
});

test('accounts spread over all local destinations', () => {
  const counts = spread(6400, (n) => localDestination(`01890a5d-ac96-774b-bcce-${n.toString(16).padStart(12, '0')}`));
  assert.equal(counts.size, localDestinationCount);
  assert.ok(Math.max(...counts.values()) < 200, 'none has twice its share');
});

test('domains spread over all partitions', () => {
  const counts = spread(25_600, (n) => partitionOf(`d${n}.example`));
  assert.equal(counts.size, partitionCount);
  assert.ok(Math.max(...counts.values()) < 200, 'none has twice its share');
});

test('the local destinations lie on at least 40 partitions, so that several owners share the work', () => {
  const partitions = new Set(Array.from({ length: localDestinationCount }, (_, n) => partitionOf(`local:${n}`)));
  assert.ok(partitions.size >= 40, `${partitions.size}`);
});

test('a domain is never taken for a local destination', () => {
  assert.ok(isLocalDestination(localDestination('x')));
  assert.ok(!isLocalDestination('local.example'));
});

function spread<T>(many: number, bucketOf: (n: number) => T): Map<T, number> {
  const counts = new Map<T, number>();
  for (let n = 0; n < many; n++) counts.set(bucketOf(n), (counts.get(bucketOf(n)) ?? 0) + 1);
  return counts;
}
