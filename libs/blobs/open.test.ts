import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { UnusableBlobStore } from './errors.ts';
import { openBlobs, openBlobsForReading } from './open.ts';
import type { Blobs } from './port.ts';

test('file: takes a path, with or without the slashes of a URL, and reading makes nothing there', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-open-'));
  t.after(() => rm(folder, { recursive: true }));
  await openBlobsForReading({ url: `file:${join(folder, 'none')}` });
  assert.deepEqual(readdirSync(folder), []);
  for (const [name, prefix] of [
    ['a', 'file:'],
    ['b', 'file://'],
  ] as const)
    await openBlobs({ url: `${prefix}${join(folder, name)}` });
  assert.deepEqual(readdirSync(folder), ['a', 'b']);
});

test('gridfs: is what the caller makes; without MongoDB there is none', async () => {
  const made: Blobs = {
    put: () => Promise.reject(new Error('not used')),
    async *read() {},
    remove: () => Promise.resolve(),
    list: () => Promise.resolve({ refs: [] }),
  };
  assert.equal(await openBlobs({ url: 'gridfs:', gridFs: () => made }), made);
  await assert.rejects(openBlobs({ url: 'gridfs:' }), UnusableBlobStore);
});
