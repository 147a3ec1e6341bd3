import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodePart } from '../mime/decode-part.ts';
import { readHeaderBlock } from '../mime/header-block.ts';
import { leaves, readStructure } from '../mime/structure.ts';
import { contentTraits, isSevenBit } from './content-traits.ts';
import { toSevenBit } from './to-seven-bit.ts';

/** Type and decoded bytes of each leaf. */
function contents(message: Buffer): { type: string; bytes: Buffer }[] {
  const { fields, bodyStart } = readHeaderBlock(message, 0);
  const { root } = readStructure(message, fields, bodyStart);
  return [...leaves(root)].map((part) => ({ type: part.type, bytes: decodePart(message, part) }));
}

function converted(message: Buffer): Buffer {
  const result = toSevenBit(message);
  assert.ok(result.ok, JSON.stringify(result));
  assert.ok(isSevenBit(result.message));
  return result.message;
}

const lines = (...parts: (string | Buffer)[]): Buffer =>
  Buffer.concat(parts.flatMap((part) => [Buffer.from(part), Buffer.from('\r\n')]));

test('a message that is 7-bit comes back itself', () => {
  const message = lines('Subject: x', '', 'plain text');
  const result = toSevenBit(message);
  assert.ok(result.ok && result.message === message);
});

test('B16: 8-bit text becomes quoted-printable, with the fields that say so', () => {
  const message = converted(
    lines(
      'Subject: x',
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=utf-8',
      'content-transfer-encoding:',
      ' 8bit',
      '',
      'Grüße',
      '.',
      'From here = there ',
    ),
  );
  assert.equal(
    message.toString(),
    'Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n' +
      'Gr=C3=BC=C3=9Fe\r\n.\r\nFrom here =3D there=20\r\n',
  );
});

test('a message without MIME gets the fields that its encoding needs (RFC 1428)', () => {
  const message = converted(lines('Subject: x', '', 'Grüße')).toString();
  assert.match(message, /^MIME-Version: 1\.0\r$/m);
  assert.match(message, /^Content-Type: text\/plain; charset=unknown-8bit\r$/m);
});

test('B16: a PNG in a binary part arrives byte-identical, and its multipart keeps its structure', () => {
  const png = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), randomBytes(5000)]);
  const message = lines(
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="b 1"',
    'Content-Transfer-Encoding: binary',
    '',
    'a preamble',
    '--b 1',
    'Content-Type: multipart/alternative; boundary=inner',
    'Content-Transfer-Encoding: 8bit',
    '',
    '--inner',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    'Grüße',
    '--inner',
    'Content-Type: text/html',
    '',
    '<p>seven bit</p>',
    '--inner--',
    '--b 1',
    'Content-Type: image/png',
    'Content-Transfer-Encoding: binary',
    '',
    png,
    '--b 1',
    'Content-Type: text/plain',
    'Content-Transfer-Encoding: base64',
    '',
    'AAEC',
    '--b 1--',
  );
  const after = converted(message);
  assert.deepEqual(contents(after), contents(message));
  assert.deepEqual(contents(after)[2], { type: 'image/png', bytes: png });
  const text = after.toString('latin1');
  assert.doesNotMatch(text, /8bit|binary/);
  assert.ok(
    text.includes('--inner\r\nContent-Type: text/html\r\n\r\n<p>seven bit</p>\r\n--inner--'),
    'what is 7-bit stays as it is',
  );
});

test('a message within a message is converted in its own parts (RFC 2046 §5.2.1)', () => {
  const message = lines(
    'Content-Type: multipart/digest; boundary=b',
    '',
    '--b',
    '',
    'Subject: inner',
    'Content-Type: text/plain; charset=utf-8',
    '',
    'with many Grüße from here',
    '--b',
    'Content-Type: message/rfc822',
    'Content-Transfer-Encoding: 8bit',
    '',
    'Subject: second',
    '',
    'a naïve sentence',
    '--b--',
  );
  const text = converted(message).toString();
  assert.match(
    text,
    /Subject: inner\r\nContent-Type: text\/plain; charset=utf-8\r\nMIME-Version: 1\.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nwith many Gr=C3=BC=C3=9Fe from here\r\n--b/,
  );
  assert.match(text, /Content-Transfer-Encoding: 7bit\r\n\r\nSubject: second\r\n/);
  assert.match(text, /a na=C3=AFve sentence\r\n--b--/);
});

test('B16: lines of more than 998 octets are encoded, in a header folded', () => {
  const message = lines(`References: ${'<a@b.test> '.repeat(200)}end`, '', 'x'.repeat(5000));
  assert.equal(contentTraits(message).eightBit, true);
  const after = converted(message);
  assert.ok(
    after
      .toString()
      .split('\r\n')
      .every((line) => line.length <= 998),
  );
  assert.deepEqual(contents(after)[0]!.bytes, contents(message)[0]!.bytes);
  assert.equal(readHeaderBlock(after, 0).fields[0]!.value, readHeaderBlock(message, 0).fields[0]!.value);
});

const cannot: [string, string, Buffer][] = [
  ['signed', 'signed content', lines('Content-Type: multipart/signed; boundary=b', '', '--b', '', 'Grüße', '--b--')],
  [
    'encrypted',
    'encrypted content',
    lines('Content-Type: multipart/encrypted; boundary=b', '', '--b', '', 'Grüße', '--b--'),
  ],
  ['header', 'a header with UTF-8', lines('Subject: Grüße', '', 'Grüße')],
  ['header', 'a header line with nowhere to fold', lines(`X: ${'x'.repeat(2000)}`, '', 'text')],
  ['encoding', 'an unknown transfer encoding', lines('Content-Transfer-Encoding: x-uue', '', 'Grüße')],
  [
    'encoding',
    'a multipart in base64',
    lines('Content-Type: multipart/mixed; boundary=b', 'Content-Transfer-Encoding: base64', '', 'é'),
  ],
  ['type', 'a part of a message', lines('Content-Type: message/partial; id=1; number=1', '', 'Grüße')],
  ['structure', 'a multipart without its boundary', lines('Content-Type: multipart/mixed; boundary=b', '', 'Grüße')],
  ['structure', 'too many levels', nested(60)],
  [
    'structure',
    'too many parts',
    lines('Content-Type: multipart/mixed; boundary=b', '', ...Array(1200).fill('--b\r\n\r\né')),
  ],
];

function nested(levels: number): Buffer {
  let message = 'Subject: x\r\n\r\né\r\n';
  for (let level = 0; level < levels; level++)
    message = `Content-Type: multipart/mixed; boundary=b${level}\r\n\r\n--b${level}\r\n${message}\r\n--b${level}--\r\n`;
  return Buffer.from(message);
}

for (const [reason, name, message] of cannot) {
  test(`B16: ${name} can't be converted, and the reason is said`, () => {
    assert.deepEqual(toSevenBit(message), { ok: false, reason });
  });
}

test('traits tell UTF-8 in the header from 8-bit in the body', () => {
  assert.deepEqual(contentTraits(lines('Subject: ü', '', 'x')), { utf8Header: true, eightBit: true });
  assert.deepEqual(contentTraits(lines('Subject: u', '', 'ü')), { utf8Header: false, eightBit: true });
  assert.deepEqual(contentTraits(lines('Subject: u', '', 'x')), { utf8Header: false, eightBit: false });
});

const octets = fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes));
const text = fc
  .array(
    fc.constantFrom('\r\n', '-', '--b', '=', ' ', '\t', 'ü', 'x', 'word '.repeat(30), '\r\n.', 'é'.repeat(80), '\0'),
    { maxLength: 60 },
  )
  .map((pieces) => Buffer.from(pieces.join('')));

test('whatever the bytes of a part, its decoded content stays the same and the result is 7-bit', () => {
  const type = fc.constantFrom('text/plain; charset=utf-8', 'image/png', 'application/octet-stream', 'text/html');
  const encoding = fc.constantFrom('8bit', 'binary', '7bit');
  fc.assert(
    fc.property(
      fc.array(fc.record({ type, encoding, bytes: fc.oneof(octets, text) }), { minLength: 1, maxLength: 4 }),
      (parts) => {
        // A part of random bytes that held the delimiter would be another message.
        fc.pre(parts.every(({ bytes }) => !bytes.includes('--limit')));
        const message = lines(
          'MIME-Version: 1.0',
          'Content-Type: multipart/mixed; boundary=limit',
          '',
          ...parts.flatMap((part) => [
            '--limit',
            `Content-Type: ${part.type}`,
            `Content-Transfer-Encoding: ${part.encoding}`,
            '',
            part.bytes,
          ]),
          '--limit--',
        );
        const before = contents(message);
        const after = contents(converted(message));
        assert.deepEqual(
          after.map(({ type }) => type),
          before.map(({ type }) => type),
        );
        for (const [at, part] of before.entries()) assert.deepEqual(after[at]!.bytes, part.bytes);
      },
    ),
    { numRuns: 300 },
  );
});

test('whatever bytes a message is made of, the outcome is 7-bit or a reason', () => {
  const piece = fc.constantFrom(
    'Content-Type: multipart/mixed; boundary=b\r\n',
    'Content-Type: message/rfc822\r\n',
    'Content-Transfer-Encoding: base64\r\n',
    '\r\n',
    '--b\r\n',
    '--b--',
    'ü',
    'x',
    '=',
    ' ',
    'A: b\r\n',
    '\0',
    '\r\n\r\n',
    'x'.repeat(1200),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const result = toSevenBit(Buffer.from(pieces.join('')));
      if (result.ok) assert.ok(isSevenBit(result.message));
    }),
    { numRuns: 2000 },
  );
});
