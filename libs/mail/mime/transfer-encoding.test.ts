import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodePartChunks, decodePartStream } from './decode-part.ts';
import { decodedBytes, decodeTransfer } from './transfer-encoding.ts';

const decode = (text: string, encoding: string): string =>
  decodeTransfer(Buffer.from(text, 'latin1'), encoding).toString('latin1');

test('base64 is decoded however its lines are cut', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 80 }), (bytes, width) => {
      const encoded = Buffer.from(bytes)
        .toString('base64')
        .replace(new RegExp(`.{${width}}`, 'g'), '$&\r\n');
      assert.deepEqual([...decodeTransfer(Buffer.from(encoded), 'base64')], [...bytes]);
    }),
  );
});

test('base64 that breaks the rules gives what there is', () => {
  assert.equal(decode('SGVsbG8', 'base64'), 'Hello');
  assert.equal(decode('SGVs*bG8=', 'base64'), 'Hello');
  assert.equal(decode('SGVsbG8=IHdvcmxk', 'base64'), 'Hello world');
  assert.equal(decode('_-8', 'base64'), '\xff\xef');
  assert.equal(decode('S', 'base64'), '');
});

test('quoted-printable follows RFC 2045 and leaves what is none', () => {
  assert.equal(decode('a=3Db=3d=\r\nc= \t\r\nd=\ne', 'quoted-printable'), 'a=b=cde');
  assert.equal(decode('50= off =ZZ =4', 'quoted-printable'), '50= off =ZZ =4');
  assert.equal(decode('end=', 'quoted-printable'), 'end');
});

test('an encoding nobody knows leaves the bytes as they are', () => {
  assert.equal(decode('=41', 'x-unknown'), '=41');
});

test('decoding in pieces gives the same bytes, and their number is known before', async () => {
  const piece = fc.constantFrom('=', 'A', '4', '1', ' ', '\t', '\r', '\n', '=\r\n', '=41', 'QUJD', '\xff', '*');
  const encoding = fc.constantFrom('base64', 'quoted-printable', '8bit');
  await fc.assert(
    fc.asyncProperty(
      fc.array(piece, { maxLength: 60 }),
      encoding,
      fc.integer({ min: 1, max: 9 }),
      async (pieces, name, size) => {
        const encoded = Buffer.from(pieces.join(''), 'latin1');
        const whole = decodeTransfer(encoded, name);
        assert.equal(decodedBytes(encoded, name), whole.length);
        const chunks = await Array.fromAsync(
          decodePartChunks(encoded, { start: 0, end: encoded.length, encoding: name }, size),
        );
        assert.deepEqual(Buffer.concat(chunks), Buffer.from(whole));
      },
    ),
  );
});

test('a stream is decoded without being held', async () => {
  const source = function* (): Generator<Buffer> {
    for (let i = 0; i < 1000; i++) yield Buffer.from('QUJDREVG\r\n'.repeat(100));
  };
  let size = 0;
  for await (const chunk of decodePartStream(source(), 'base64')) {
    assert.ok(chunk.length <= 1000);
    size += chunk.length;
  }
  assert.equal(size, 600_000);
});
