import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_HEADER_ADDRESSES, parseAddressList } from './header-addresses.ts';

const cases: [string, string, { name: string | null; email: string }[]][] = [
  ['a bare address', 'a@x.test', [{ name: null, email: 'a@x.test' }]],
  ['a name and an address', 'Alice B. <a@x.test>', [{ name: 'Alice B.', email: 'a@x.test' }]],
  ['a quoted name with a comma', '"B, Alice \\"x\\"" <a@x.test>', [{ name: 'B, Alice "x"', email: 'a@x.test' }]],
  [
    'several',
    'a@x.test, B <b@x.test>,, c@x.test,',
    [
      { name: null, email: 'a@x.test' },
      { name: 'B', email: 'b@x.test' },
      { name: null, email: 'c@x.test' },
    ],
  ],
  [
    'a group',
    'Friends: a@x.test, B <b@x.test>; c@x.test',
    [
      { name: null, email: 'a@x.test' },
      { name: 'B', email: 'b@x.test' },
      { name: null, email: 'c@x.test' },
    ],
  ],
  ['an empty group', 'undisclosed-recipients:;', []],
  ['a comment as name', 'a@x.test (Alice (the one))', [{ name: 'Alice (the one)', email: 'a@x.test' }]],
  [
    'encoded words, split within a character',
    '=?utf-8?B?SsO8cmc=?= =?utf-8?Q?_M=C3?=\r\n =?utf-8?Q?=BCller?= <j@x.test>',
    [{ name: 'J\u00fcrg M\u00fcller', email: 'j@x.test' }],
  ],
  ['an encoded word with a comma in it', '=?utf-8?Q?Doe,_J?= <j@x.test>', [{ name: 'Doe, J', email: 'j@x.test' }]],
  ['an encoded word inside quotes', '"=?utf-8?Q?J=C3=BCrg?=" <j@x.test>', [{ name: 'J\u00fcrg', email: 'j@x.test' }]],
  ['no encoded words in the address', '<=?utf-8?Q?a=40x.test?=>', [{ name: null, email: '=?utf-8?Q?a=40x.test?=' }]],
  ['a quoted local part', '"a b"@x.test', [{ name: null, email: '"a b"@x.test' }]],
  ['a quoted local part in angle brackets', 'A <"a > b"@x.test>', [{ name: 'A', email: '"a > b"@x.test' }]],
  ['an obsolete route', '<@r.test,@s.test:a@x.test>', [{ name: null, email: 'a@x.test' }]],
  ['white space around the at sign', 'a @ x.test', [{ name: null, email: 'a@x.test' }]],
  ['a local user', 'root (Cron Daemon)', [{ name: 'Cron Daemon', email: 'root' }]],
  ['a name without an address', 'Just A Name', [{ name: 'Just A Name', email: '' }]],
  [
    'UTF-8 throughout',
    'J\u00fcrg <j\u00fcrg@b\u00fccher.test>',
    [{ name: 'J\u00fcrg', email: 'j\u00fcrg@b\u00fccher.test' }],
  ],
  ['an unterminated quote', '"Alice <a@x.test>', [{ name: null, email: '"Alice <a@x.test>' }]],
  ['an unterminated angle bracket', 'A <a@x.test', [{ name: 'A', email: 'a@x.test' }]],
  [
    'line ends smuggled in an encoded word',
    '=?utf-8?Q?A=0D=0ABcc:_x?= <a@x.test>',
    [{ name: 'A Bcc: x', email: 'a@x.test' }],
  ],
  ['nothing', ' \t ', []],
];

for (const [name, value, expected] of cases) {
  test(`an address list with ${name} is read`, () => assert.deepEqual(parseAddressList(value), expected));
}

test('an address list is cut at the cap', () => {
  assert.equal(parseAddressList('a@x.test,'.repeat(MAX_HEADER_ADDRESSES + 1)).length, MAX_HEADER_ADDRESSES);
});

test('hostile address lists take one pass', () => {
  for (const piece of ['"', '(', '<', '=?', '=?a?q?', '@', '\\', ':', 'a ', '"a"', '<<', '=?utf-8?q?a?= ', 'a@', ' ']) {
    const before = process.hrtime.bigint();
    parseAddressList(piece.repeat(5_000_000 / piece.length));
    assert.ok(process.hrtime.bigint() - before < 2_000_000_000n, JSON.stringify(piece));
  }
});

test('no text makes the address list throw or pass its caps', () => {
  const piece = fc.constantFrom(
    '"',
    '(',
    ')',
    '<',
    '>',
    ',',
    ';',
    ':',
    '@',
    '\\',
    ' ',
    'a',
    '=?utf-8?q?',
    '?=',
    '\u00fc',
    '\ud800',
    '\r\n ',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string()), { maxLength: 30 }), (pieces) => {
      for (const { name, email } of parseAddressList(pieces.join(''))) {
        assert.ok(name === null || (name.length > 0 && name.length <= 512 && !/[\r\n]/.test(name)));
        assert.ok(email.length <= 512 && !/[\r\n]/.test(email));
      }
    }),
    { numRuns: 1000 },
  );
});
