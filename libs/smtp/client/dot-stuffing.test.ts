import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DataScanner } from '../data-scanner.ts';
import { ContentUnfit, DotStuffer } from './dot-stuffing.ts';

function stuff(input: string, cuts: readonly number[] = [], sevenBit = false): string {
  const stuffer = new DotStuffer({ sevenBit });
  const bytes = Buffer.from(input, 'latin1');
  const edges = [0, ...cuts.toSorted((a, b) => a - b), bytes.length];
  const out = edges.slice(1).map((edge, at) => stuffer.push(bytes.subarray(edges[at], edge)));
  return Buffer.concat([...out, stuffer.end()]).toString('latin1');
}

test('a dot is put before each dot that begins a line, and the end is CRLF.CRLF', () => {
  assert.equal(stuff(''), '.\r\n');
  assert.equal(stuff('.'), '..\r\n.\r\n');
  assert.equal(stuff('a.\r\n.b\r\n..\r\n\r\n.\r\n'), 'a.\r\n..b\r\n...\r\n\r\n..\r\n.\r\n');
});

test('B8: over any chunks, what a server reads back is the message, lines that begin with dots too', () => {
  const piece = fc.constantFrom('\r\n', '.', '..', 'a', '\r\n.', '\r\n..\r\n', 'xyz', '\0', '\xff');
  fc.assert(
    fc.property(fc.array(piece), fc.array(fc.nat(), { maxLength: 20 }), (pieces, cuts) => {
      const message = `${pieces.join('')}\r\n`;
      const wire = stuff(
        message,
        cuts.map((cut) => cut % (message.length + 1)),
      );
      const scanner = new DataScanner({ maxMessageBytes: 1e6, maxLineBytes: 1e6 });
      const { content, rest } = scanner.push(Buffer.from(`${wire}RSET\r\n`, 'latin1'));
      assert.equal(scanner.flaw, undefined);
      assert.equal(content!.toString('latin1'), message);
      assert.equal(rest!.toString('latin1'), 'RSET\r\n');
    }),
    { numRuns: 500 },
  );
});

for (const [name, input, flaw] of [
  ['a bare LF', 'a\nb\r\n', 'bareLf'],
  ['a bare LF first', '\nb\r\n', 'bareLf'],
  ['a bare CR', 'a\rb\r\n', 'bareCr'],
  ['a bare CR last', 'a\r', 'bareCr'],
  ['a CR before CRLF', 'a\r\r\n', 'bareCr'],
] as const) {
  test(`${name} never reaches the wire, however it is cut`, () => {
    for (let cut = 0; cut <= input.length; cut++) {
      assert.throws(
        () => stuff(input, [cut]),
        (error) => error instanceof ContentUnfit && error.flaw === flaw,
      );
    }
  });
}

test('B16: for a server of 7-bit mail no octet over 127 and no line past 998 goes, however it is cut', () => {
  const line = 'x'.repeat(998);
  for (const cut of [0, 1, 500, 998, 999]) {
    assert.equal(stuff(`${line}\r\n`, [cut], true), `${line}\r\n.\r\n`);
    assert.throws(() => stuff(`x${line}\r\n`, [cut], true), ContentUnfit);
    assert.throws(() => stuff(`${line}\xe9`, [cut], true), ContentUnfit);
  }
});
