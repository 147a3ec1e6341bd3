import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { bodyHashOf, plainRelaxedBody } from '../../../tests/support/dkim-verify.ts';
import { rawFields, relaxedField } from './header-fields.ts';

const sha256 = (text: string): string => hash('sha256', Buffer.from(text, 'latin1'), 'base64');

test('the example of RFC 6376 §3.4.5 has the canonical form that stands there', () => {
  const fields = rawFields('A: X\r\nB : Y\t\r\n\tZ  ');
  assert.deepEqual(fields?.map(relaxedField), ['a:X', 'b:Y Z']);
  assert.equal(bodyHashOf(Buffer.from(' C \r\nD \t E\r\n\r\n\r\n')), sha256(' C\r\nD E\r\n'));
});

test('a body without content is empty, whatever lines it has', () => {
  // RFC 6376 §3.4.4
  const empty = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=';
  for (const body of ['', '\r\n', '\r\n\r\n\r\n', ' \t\r\n \r\n', '  ']) {
    assert.equal(bodyHashOf(Buffer.from(body)), empty, JSON.stringify(body));
  }
});

test('a body that ends without CRLF is hashed as if it had one', () => {
  assert.equal(bodyHashOf(Buffer.from('a  b ')), sha256('a b\r\n'));
});

test('a bare CR or LF ends no line', () => {
  assert.equal(bodyHashOf(Buffer.from('a \rb \nc\r')), sha256('a \rb \nc\r\r\n'));
});

test('a body has the same hash however it is cut, and the one of its lines taken one by one', () => {
  const part = fc.constantFrom(
    '\r\n',
    '\r\n',
    ' ',
    '\t',
    '\r',
    '\n',
    'a',
    'bc',
    '\xa0',
    '\xff',
    'word word',
    'x'.repeat(3_000),
  );
  const body = fc.oneof(
    fc.array(part, { maxLength: 60 }).map((parts) => parts.join('')),
    fc.tuple(part, fc.integer({ min: 1, max: 70_000 })).map(([one, times]) => `${one.slice(0, 2).repeat(times)}end`),
  );
  fc.assert(
    fc.property(body, fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 20 }), (text, pieces) => {
      assert.equal(bodyHashOf(Buffer.from(text, 'latin1'), pieces), sha256(plainRelaxedBody(text)));
    }),
    { numRuns: 300 },
  );
});

test('a field keeps every octet but white space around and between its words', () => {
  const word = fc.stringMatching(/^[!-~\x80-\xff]{1,12}$/);
  const gap = fc.constantFrom(' ', '\t', '  ', ' \t', '\r\n ', ' \r\n\t');
  fc.assert(
    fc.property(fc.array(fc.tuple(gap, word), { maxLength: 10 }), fc.constantFrom('', ' ', '\t \t'), (words, end) => {
      const [field] = rawFields(`X-Any:${words.map(([before, one]) => before + one).join('')}${end}`) ?? [];
      assert.ok(field);
      assert.equal(relaxedField(field), `x-any:${words.map(([, one]) => one).join(' ')}`);
    }),
  );
});

test('a header with a line that is no field has no fields', () => {
  for (const header of [' A: b', 'A: b\r\nno field\r\nC: d', 'A: b\r\n: c', 'A: b\r\n\r\nC: d']) {
    assert.equal(rawFields(header), undefined, JSON.stringify(header));
  }
});
