import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { type Blobs, inlineLimitBytes } from '../../libs/blobs/port.ts';
import { BodyCollector } from './body-collector.ts';
import { WriterGone } from './byte-channel.ts';
import { DataMemory } from './data-memory.ts';

/** Keeps whole blobs by their number; one that was given up is never in it. */
function memoryBlobs() {
  const kept: Buffer[] = [];
  const blobs: Blobs = {
    async put(bytes, signal) {
      const parts: Uint8Array[] = [];
      for await (const part of bytes) {
        signal.throwIfAborted();
        parts.push(part);
      }
      const whole = Buffer.concat(parts);
      kept.push(whole);
      return { ref: String(kept.length - 1), sizeBytes: whole.length, sha256: sha256(whole) };
    },
    read: async function* () {},
    remove: async () => {},
    list: async () => ({ refs: [] }),
  };
  return { kept, blobs };
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

function open(capBytes = 1024 * 1024) {
  const { kept, blobs } = memoryBlobs();
  const memory = new DataMemory(capBytes);
  const collector = BodyCollector.open({ memory, blobs, maxHeaderBytes: 1000 });
  assert.ok(collector);
  return { kept, memory, collector };
}

const header = 'Subject: x\r\nFrom: a@b.test\r\n';

async function feed(collector: BodyCollector, bytes: Buffer, chunkBytes: number) {
  for (let at = 0; at < bytes.length; at += chunkBytes) await collector.push(bytes.subarray(at, at + chunkBytes));
}

for (const chunkBytes of [1, 7, 5000, 65_536]) {
  test(`a small message stays in memory and its header section is found, in chunks of ${chunkBytes}`, async () => {
    const { collector, kept, memory } = open();
    const message = Buffer.from(`${header}\r\n${'body\r\n'.repeat(500)}`);
    await feed(collector, message, chunkBytes);
    assert.equal(collector.header.toString(), header);
    const { body, sizeBytes, sha256: digest } = await collector.finish();
    assert.ok(body.kind === 'inline' && message.equals(body.bytes));
    assert.equal(sizeBytes, message.length);
    assert.equal(digest, sha256(message));
    assert.equal(kept.length, 0);
    collector.release();
    assert.equal(memory.heldBytes, 0);
  });
}

test('past the inline limit a message streams to the blob store and holds little memory', async () => {
  const { collector, kept, memory } = open();
  const message = Buffer.concat([Buffer.from(`${header}\r\n`), Buffer.alloc(inlineLimitBytes * 3, 'x')]);
  await feed(collector, message, 10_000);
  assert.ok(memory.heldBytes < 32 * 1024, String(memory.heldBytes));
  assert.equal(collector.header.toString(), header);
  const { body, sizeBytes, sha256: digest } = await collector.finish();
  assert.deepEqual(body, { kind: 'blob', ref: '0' });
  assert.ok(kept[0]?.equals(message));
  assert.equal(sizeBytes, message.length);
  assert.equal(digest, sha256(message));
  collector.release();
  assert.equal(memory.heldBytes, 0);
});

test('the last chunk is kept when it is the one that goes past the inline limit', async () => {
  const { collector, kept } = open();
  const message = Buffer.concat([Buffer.from(`${header}\r\n`), Buffer.alloc(inlineLimitBytes, 'x')]);
  await feed(collector, message.subarray(0, inlineLimitBytes - 10_000), 65_536);
  // The end of the data comes with the chunk: nobody waits for it to be taken.
  void collector.push(message.subarray(inlineLimitBytes - 10_000));
  const { sizeBytes, sha256: digest } = await collector.finish();
  assert.equal(sizeBytes, message.length);
  assert.equal(digest, sha256(message));
  assert.ok(kept[0]?.equals(message));
  collector.release();
});

test('with no memory left to grow, a message goes on in the blob store', async () => {
  const { collector, kept } = open(20_000);
  const message = Buffer.concat([Buffer.from(`${header}\r\n`), Buffer.alloc(50_000, 'x')]);
  await feed(collector, message, 4000);
  await collector.finish();
  assert.ok(kept[0]?.equals(message));
});

test('a message given up half way is no blob', async () => {
  const { collector, kept, memory } = open();
  await feed(collector, Buffer.concat([Buffer.from(`${header}\r\n`), Buffer.alloc(inlineLimitBytes * 2, 'x')]), 30_000);
  collector.release();
  await assert.rejects(collector.finish());
  assert.equal(kept.length, 0);
  assert.equal(memory.heldBytes, 0);
});

test('a header section without an end is refused', async () => {
  const { collector } = open();
  await feed(collector, Buffer.from('X: y\r\n'.repeat(500)), 100);
  assert.deepEqual(collector.fault, { kind: 'longHeader' });
});

test('no message is begun when there is no memory for it', () => {
  const { blobs } = memoryBlobs();
  assert.equal(BodyCollector.open({ memory: new DataMemory(100), blobs, maxHeaderBytes: 10 }), undefined);
});

for (const bodyBytes of [10, 400_000]) {
  test(`a message of ${bodyBytes} bytes that was let go is never taken for a shorter one`, async () => {
    const { collector, kept } = open();
    await feed(collector, Buffer.from(`${header}\r\n${'b'.repeat(bodyBytes)}`), 65_536);
    collector.release();
    await assert.rejects(collector.finish(), WriterGone);
    assert.equal(kept.length, 0);
  });
}

test('what was released is never taken for an empty message', async () => {
  const { collector } = open();
  await collector.push(Buffer.from(`${header}\r\nbody\r\n`));
  collector.release();
  await assert.rejects(collector.finish());
});
