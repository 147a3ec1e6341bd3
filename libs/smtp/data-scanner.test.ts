import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DataScanner } from './data-scanner.ts';

const limits = { maxMessageBytes: 1000, maxLineBytes: 100 };

function scan(input: string, cuts: readonly number[] = [], scannerLimits = limits) {
  const scanner = new DataScanner(scannerLimits);
  const bytes = Buffer.from(input, 'latin1');
  let content = '';
  let from = 0;
  for (const to of [...cuts.toSorted((a, b) => a - b), bytes.length]) {
    const pushed = scanner.push(bytes.subarray(from, to));
    content += pushed.content?.toString('latin1') ?? '';
    if (pushed.rest) {
      return {
        content,
        rest: pushed.rest.toString('latin1') + bytes.subarray(to).toString('latin1'),
        flaw: scanner.flaw,
      };
    }
    from = to;
  }
  return { content, rest: undefined, flaw: scanner.flaw };
}

test('the data ends at CRLF.CRLF, and what follows is left', () => {
  assert.deepEqual(scan('a\r\nb\r\n.\r\nQUIT\r\n'), { content: 'a\r\nb\r\n', rest: 'QUIT\r\n', flaw: undefined });
});

test('a dot in the first line ends an empty message', () => {
  assert.deepEqual(scan('.\r\n'), { content: '', rest: '', flaw: undefined });
});

test('one dot is taken from each line that begins with one', () => {
  assert.equal(scan('..\r\n.a\r\n...b\r\nc.\r\n.\r\n').content, '.\r\na\r\n..b\r\nc.\r\n');
});

const smuggled: [string, string, 'bareCr' | 'bareLf', number][] = [
  ['LF . LF', 'a\n.\nMAIL', 'bareLf', 1],
  ['CR . CR', 'a\r.\rMAIL', 'bareCr', 1],
  ['LF . CRLF', 'a\n.\r\nMAIL', 'bareLf', 1],
  ['CRLF . LF', 'a\r\n.\nMAIL', 'bareLf', 2],
  ['CRLF . CR', 'a\r\n.\rMAIL', 'bareCr', 2],
  ['CR . CRLF', 'a\r.\r\nMAIL', 'bareCr', 1],
  ['CR CR LF', 'a\r\r\n.\r\r\nMAIL', 'bareCr', 1],
  ['LF CR . LF CR', 'a\n\r.\n\rMAIL', 'bareLf', 1],
  ['CR NUL LF', 'a\r\0\n.\r\0\nMAIL', 'bareCr', 1],
  ['CRLF NUL . CRLF is plain content', 'a\r\n\0.\r\nMAIL\nx', 'bareLf', 3],
];

for (const [name, input, kind, line] of smuggled) {
  test(`no message is found inside another by ${name}, however it is cut`, () => {
    for (let cut = 0; cut <= input.length; cut++) {
      const { rest, flaw } = scan(`${input}\r\nx\r\n.\r\nQUIT\r\n`, [cut]);
      assert.equal(rest, 'QUIT\r\n');
      assert.deepEqual(flaw, { kind, line });
    }
  });
}

test('a line as long as allowed passes and one octet more does not, in one chunk or in many', () => {
  const line = 'x'.repeat(100);
  assert.equal(scan(`${line}\r\n.\r\n`).flaw, undefined);
  assert.deepEqual(scan(`${line}x\r\n.\r\n`).flaw, { kind: 'longLine', line: 1 });
  assert.deepEqual(scan(`a\r\n${line}x\r\n.\r\n`, [10, 20, 50, 104]).flaw, { kind: 'longLine', line: 2 });
  assert.equal(scan(`a\r\n${line}\r\n.\r\n`, [10, 20, 50, 104]).flaw, undefined);
});

test('a message as large as allowed passes and one octet more does not', () => {
  const lines = (count: number) => 'x'.repeat(8).concat('\r\n').repeat(count);
  assert.equal(scan(`${lines(100)}.\r\n`).flaw, undefined);
  assert.equal(scan(`${lines(100)}..\r\n.\r\n`).flaw?.kind, 'tooLarge');
  assert.equal(scan(`${lines(99)}......\r\n..\r\n.\r\n`).flaw, undefined);
});

test('however the octets arrive, the outcome is the same, and what was stuffed comes back', () => {
  const piece = fc.constantFrom('\r\n', '.', '..', 'a', '\r\n.', '\r\n..\r\n', 'xyz', '\0', '\xff');
  fc.assert(
    fc.property(fc.array(piece), fc.array(fc.nat({ max: 200 }), { maxLength: 20 }), (pieces, cuts) => {
      const message = `${pieces.join('')}\r\n`;
      const wire = `${message.replace(/(^|\r\n)\./g, '$1..')}.\r\nRSET\r\n`;
      const inside = cuts.map((cut) => cut % (wire.length + 1));
      assert.deepEqual(scan(wire, inside), { content: message, rest: 'RSET\r\n', flaw: undefined });
    }),
  );
});

test('any octets at all give the same outcome whole and octet by octet', () => {
  const octets = fc.string({ unit: fc.constantFrom('\r', '\n', '.', 'a'), maxLength: 40 });
  fc.assert(
    fc.property(octets, (text) => {
      const wire = `${text}\r\n.\r\n`;
      const whole = scan(wire);
      const single = scan(
        wire,
        [...wire].map((_, at) => at),
      );
      assert.equal(single.rest, whole.rest);
      assert.deepEqual(single.flaw, whole.flaw);
      if (!whole.flaw) assert.equal(single.content, whole.content);
    }),
    { numRuns: 2000 },
  );
});
