import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { HeldBytes } from '../runtime/held-bytes.ts';
import { StoreBusy } from '../store/errors.ts';
import { inPieces } from './pieces.ts';

const never = new AbortController().signal;
const memory = (totalBytes: number): HeldBytes => new HeldBytes({ totalBytes, perHolderBytes: totalBytes });

test('however the bytes come, they leave in their order, in whole pieces and a rest', async () => {
  const chunks = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(chunks, fc.integer({ min: 1, max: 40 }), async (given, pieceBytes) => {
      const whole = Buffer.concat(given);
      const pieces = await collected(given, pieceBytes, memory(1_000_000));
      assert.ok(Buffer.concat(pieces).equals(whole));
      for (const [n, { length }] of pieces.entries()) {
        const isLast = n === pieces.length - 1;
        assert.ok(length === pieceBytes || (isLast && length > 0 && length < pieceBytes));
      }
    }),
  );
});

test('a small body holds little, a large one no more than a piece, and all of it is given back', async () => {
  const held = memory(100 * 1024 * 1024);
  const small = held.hold('small');
  const large = held.hold('large');
  const pieceBytes = 5 * 1024 * 1024;
  for await (const _ of inPieces(chunked(300_000), { pieceBytes, hold: small, signal: never }));
  assert.equal(held.bytes, 512 * 1024);
  for await (const _ of inPieces(chunked(12_000_000), { pieceBytes, hold: large, signal: never }));
  assert.equal(held.bytes, 512 * 1024 + pieceBytes);
  small.release();
  large.release();
  assert.equal(held.bytes, 0);
});

test('past the cap of all bodies one more is refused, and goes when there is room', async () => {
  const held = memory(600_000);
  const first = held.hold('first');
  assert.equal(first.grow(500_000), 'room');
  await assert.rejects(collected([randomBytes(300_000)], 1_000_000, held), StoreBusy);
  first.release();
  assert.equal((await collected([randomBytes(300_000)], 1_000_000, held)).length, 1);
});

test('when it is broken off nothing more is asked of the source', async () => {
  const breaking = new AbortController();
  let asked = 0;
  const endless = async function* (): AsyncGenerator<Uint8Array> {
    for (;;) {
      asked += 1;
      if (asked === 3) breaking.abort(new Error('client gone'));
      yield randomBytes(10);
    }
  };
  const options = { pieceBytes: 100, hold: memory(1_000).hold('x'), signal: breaking.signal };
  await assert.rejects(async () => {
    for await (const _ of inPieces(endless(), options));
  }, /client gone/);
  assert.equal(asked, 3);
});

async function collected(chunks: readonly Uint8Array[], pieceBytes: number, held: HeldBytes): Promise<Buffer[]> {
  const hold = held.hold('one');
  const pieces: Buffer[] = [];
  try {
    const source = (async function* () {
      yield* chunks;
    })();
    for await (const piece of inPieces(source, { pieceBytes, hold, signal: never })) pieces.push(Buffer.from(piece));
    return pieces;
  } finally {
    hold.release();
  }
}

async function* chunked(bytes: number): AsyncGenerator<Uint8Array> {
  for (let sent = 0; sent < bytes; sent += 60_000) yield new Uint8Array(Math.min(60_000, bytes - sent));
}
