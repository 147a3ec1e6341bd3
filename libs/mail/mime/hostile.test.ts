import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodePart } from './decode-part.ts';
import { MAX_DEPTH, MAX_HEADER_FIELDS, MAX_PARTS } from './limits.ts';
import { parseMessage } from './parse-message.ts';
import { parseSummary } from './parse-summary.ts';

const MEGABYTES_5 = 5_000_000;
const repeat = (piece: string): string => piece.repeat(Math.ceil(MEGABYTES_5 / piece.length));
const html = (body: string): string => `Content-Type: text/html\r\n\r\n${body}`;
const mixed = (body: string): string => `Content-Type: multipart/mixed; boundary=b\r\n\r\n${body}`;

function nested(depth: number): string {
  const open = Array.from(
    { length: depth },
    (_, i) => `Content-Type: multipart/mixed; boundary=b${i}\r\n\r\n--b${i}\r\n`,
  ).join('');
  const close = Array.from({ length: depth }, (_, i) => `\r\n--b${depth - 1 - i}--`).join('');
  return `${open}\r\nthe innermost${close}\r\n`;
}

/** Each is read in one pass, in about a second at most; anything that isn't linear takes minutes. */
const HOSTILE: Record<string, { raw: string; unparsable: boolean }> = {
  '100,000 nested multiparts': { raw: nested(100_000), unparsable: true },
  'one header field of 5 MB': { raw: `Subject: ${repeat('x')}\r\n\r\nbody`, unparsable: true },
  'one address field of 5 MB': { raw: `To: ${repeat('a@x.test, ')}\r\n\r\nbody`, unparsable: true },
  'a field folded a million times': { raw: `Subject: x${repeat('\r\n y')}\r\n\r\nbody`, unparsable: true },
  'a million header fields': { raw: `${repeat('a:\r\n')}\r\nbody`, unparsable: true },
  'header lines that are none': { raw: `A: b\r\n${repeat('x\r\na:b\r\n')}`, unparsable: true },
  'a header that never ends': { raw: repeat('abc'), unparsable: true },
  'a million empty parts': { raw: mixed(repeat('--b\r\n')), unparsable: true },
  'parts whose headers never end': { raw: mixed(repeat('--b\r\na: b\r\n ')), unparsable: true },
  'parts with large headers': { raw: mixed(repeat(`--b\r\n${'x: y\r\n'.repeat(500)}\r\n`)), unparsable: true },
  'lines that only look like delimiters': { raw: mixed(`--b\r\n\r\n${repeat('--x\r\n')}`), unparsable: false },
  'one long line of dashes': { raw: mixed(`--b\r\n\r\n\r\n${repeat('-')}`), unparsable: false },
  'one boundary for all levels': {
    raw: repeat('Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n'),
    unparsable: true,
  },
  'long encoded words': { raw: `Subject: ${'=?utf-8?q?'.repeat(20_000)}\r\n\r\nbody`, unparsable: false },
  'many encoded words': { raw: `From: ${'=?utf-8?q?a?= '.repeat(15_000)}<a@x.test>\r\n\r\nbody`, unparsable: false },
  'unterminated quotes': { raw: `To: ${'"a\\" '.repeat(40_000)}\r\n\r\nbody`, unparsable: false },
  'many parameters': { raw: `Content-Type: text/plain${'; a*1=b'.repeat(30_000)}\r\n\r\nbody`, unparsable: false },
  'backslashes in a parameter': {
    raw: `Content-Type: text/plain; name="${'\\'.repeat(200_000)}\r\n\r\nbody`,
    unparsable: false,
  },
  'references without end': {
    raw: `References: ${'<'.repeat(100_000)}${'<a>'.repeat(40_000)}\r\n\r\nbody`,
    unparsable: false,
  },
  'nested tags': { raw: html(repeat('<div>')), unparsable: false },
  'nested inline tags': { raw: html('<b>'.repeat(80_000)), unparsable: false },
  'nested lists': { raw: html('<ul><li>'.repeat(10_000)), unparsable: false },
  'nested tables': { raw: html('<table><tr><td>'.repeat(15_000)), unparsable: false },
  'tags that never end': { raw: html(repeat('<a ')), unparsable: false },
  'comments that never end': { raw: html(repeat('<!--')), unparsable: false },
  'style that never ends': { raw: html(repeat('<style>')), unparsable: false },
  entities: { raw: html(repeat('&amp')), unparsable: false },
  'soft breaks': { raw: `Content-Transfer-Encoding: quoted-printable\r\n\r\n${repeat('= ')}`, unparsable: false },
  'equals signs': { raw: `Content-Transfer-Encoding: quoted-printable\r\n\r\n${repeat('=')}`, unparsable: false },
  padding: { raw: `Content-Transfer-Encoding: base64\r\n\r\n${repeat('=')}`, unparsable: false },
  'blank text': { raw: `A: b\r\n\r\n${repeat(' \u200b\r\n')}`, unparsable: false },
};

for (const [name, { raw, unparsable }] of Object.entries(HOSTILE)) {
  test(`${name}: read in one pass`, () => {
    const bytes = Buffer.from(raw);
    const start = performance.now();
    const summary = parseSummary(bytes);
    const message = parseMessage(bytes);
    const tookMs = performance.now() - start;
    assert.equal(summary.unparsable, unparsable);
    assert.equal(message.unparsable, unparsable);
    assert.ok(message.attachments.length <= MAX_PARTS && message.headers.length <= MAX_HEADER_FIELDS);
    assert.ok(tookMs < 10_000, `${tookMs} ms`);
  });
}

test('nesting up to the limit is read, one more is kept as an attachment', () => {
  const within = parseMessage(Buffer.from(nested(MAX_DEPTH)));
  assert.deepEqual([within.text, within.unparsable], ['the innermost', false]);
  const beyond = parseMessage(Buffer.from(nested(MAX_DEPTH + 1)));
  assert.deepEqual([beyond.unparsable, beyond.attachments.map((part) => part.type)], [true, ['multipart/mixed']]);
});

test('parts up to the limit are read, the rest is not', () => {
  const parts = (count: number) =>
    parseMessage(Buffer.from(mixed('--b\r\nContent-Type: a/b\r\n\r\nx\r\n'.repeat(count))));
  assert.deepEqual([parts(MAX_PARTS - 1).attachments.length, parts(MAX_PARTS - 1).unparsable], [MAX_PARTS - 1, false]);
  assert.deepEqual([parts(MAX_PARTS).attachments.length, parts(MAX_PARTS).unparsable], [MAX_PARTS - 1, true]);
});

const CORPUS = new URL('../../../tests/fixtures/mail/', import.meta.url);
const corpus = readdirSync(CORPUS)
  .filter((name) => name.endsWith('.eml'))
  .map((name) => readFileSync(new URL(name, CORPUS)));

function checkInvariants(raw: Buffer): void {
  const message = parseMessage(raw);
  parseSummary(raw);
  for (const [n, part] of message.attachments.entries()) {
    assert.equal(part.n, n);
    assert.ok(part.start >= 0 && part.start <= part.end && part.end <= raw.length);
    assert.equal(decodePart(raw, part).length, part.size);
  }
  assert.ok(message.preview.length <= 200 && message.preview.isWellFormed());
  assert.ok(message.subject.isWellFormed() && !/[\r\n]/.test(message.subject));
}

test('no change to a message makes the parser throw or point outside of it', () => {
  const change = fc.record({
    at: fc.nat(),
    remove: fc.nat({ max: 40 }),
    insert: fc.oneof(
      fc.string(),
      fc.constantFrom('\r\n', '\r\n\r\n', '--b', '"', '=', ';', ':', '=?', '?=', '<', '\u0000', '--outer--'),
    ),
  });
  fc.assert(
    fc.property(fc.constantFrom(...corpus), fc.array(change, { maxLength: 6 }), (original, changes) => {
      let raw = original;
      for (const { at, remove, insert } of changes) {
        const offset = at % (raw.length + 1);
        raw = Buffer.concat([raw.subarray(0, offset), Buffer.from(insert), raw.subarray(offset + remove)]);
      }
      checkInvariants(raw);
    }),
    { numRuns: 600 },
  );
});

test('no bytes make the parser throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => checkInvariants(Buffer.from(bytes))),
    { numRuns: 600 },
  );
});

test('a message cut at any byte is read', () => {
  for (const raw of corpus)
    for (let end = 0; end < raw.length && end < 1500; end += 7) checkInvariants(raw.subarray(0, end));
});
