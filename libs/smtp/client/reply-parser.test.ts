import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { maxReplyTextLength, ReplyMalformed, ReplyParser } from './reply-parser.ts';

function parse(input: string | Buffer, cut = 0) {
  const bytes = Buffer.from(input as string, 'latin1');
  const parser = new ReplyParser();
  return [...parser.push(bytes.subarray(0, cut)), ...parser.push(bytes.subarray(cut))];
}

test('a reply of several lines is one, however it is cut', () => {
  const input = '250-first\r\n250-\r\n250\r\n220 second\r\n';
  for (let cut = 0; cut <= input.length; cut++) {
    assert.deepEqual(parse(input, cut), [
      { code: 250, text: 'first', lines: ['first', '', ''] },
      { code: 220, text: 'second', lines: ['second'] },
    ]);
  }
});

test('an enhanced status is taken when its class is the code’s', () => {
  assert.equal(parse('550 5.1.1 no such user\r\n')[0]!.enhanced, '5.1.1');
  assert.equal(parse('550 4.1.1 odd\r\n')[0]!.enhanced, undefined);
  assert.equal(parse('550 5.1.1111 odd\r\n')[0]!.enhanced, undefined);
  assert.equal(parse('250 2.0.0\r\n')[0]!.enhanced, '2.0.0');
});

test('a bare LF ends a line', () => {
  assert.deepEqual(parse('250-a\n250 b\n')[0]!.lines, ['a', 'b']);
});

test('control characters and invalid UTF-8 never get through', () => {
  const [reply] = parse('550 a\x1b[31mb\x07\xff\xfe\tc\r\r\n');
  assert.doesNotMatch(reply!.text, /\p{Cc}/u);
  assert.match(reply!.text, /a\?\[31mb/);
  assert.equal(
    parse(Buffer.from('550 unbekannter Empfänger\u202e\r\n').toString('latin1'))[0]!.text,
    '550 unbekannter Empfänger?'.slice(4),
  );
});

test('a long line is cut, and a trace has at most 512 characters', () => {
  const [reply] = parse(`550 ${'x'.repeat(60_000)}\r\n`);
  assert.equal(reply!.text.length, maxReplyTextLength);
  assert.ok(reply!.lines[0]!.length <= 2048);
});

const malformed: [string, string][] = [
  ['a code of 999', '999 x\r\n'],
  ['a code of 199', '199 x\r\n'],
  ['a code of four digits', '2500 x\r\n'],
  ['no code', 'hello\r\n'],
  ['an empty line', '\r\n'],
  ['no separator', '250x\r\n'],
  ['another code in the same reply', '250-a\r\n251 b\r\n'],
  ['a NUL', '250 a\0b\r\n'],
  ['a line of a megabyte', `250 ${'x'.repeat(1_000_000)}`],
  ['a continuation without end', '250-x\r\n'.repeat(200)],
  ['long lines without end', `250-${'x'.repeat(2000)}\r\n`.repeat(100)],
];

for (const [name, input] of malformed) {
  test(`${name} is no reply`, () => {
    assert.throws(() => parse(input), ReplyMalformed);
    assert.throws(() => parse(input, Math.floor(input.length / 2)), ReplyMalformed);
  });
}

test('whatever comes, in chunks of any size, is bounded: replies or the one error', () => {
  const piece = fc.constantFrom(
    '250',
    '-',
    ' ',
    'x',
    '\r\n',
    '\n',
    '\r',
    '5',
    '\xff',
    'y'.repeat(3000),
    '250 ok\r\n',
    '250-a\r\n',
  );
  fc.assert(
    fc.property(fc.array(fc.array(piece), { maxLength: 20 }), (chunks) => {
      const parser = new ReplyParser();
      try {
        for (const chunk of chunks) {
          for (const reply of parser.push(Buffer.from(chunk.join(''), 'latin1'))) {
            assert.ok(reply.code >= 200 && reply.code < 600 && reply.text.length <= maxReplyTextLength);
            assert.doesNotMatch(reply.text, /\p{Cc}/u);
          }
        }
      } catch (error) {
        assert.ok(error instanceof ReplyMalformed);
      }
    }),
  );
});
