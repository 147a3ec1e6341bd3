import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decodePart } from './decode-part.ts';
import { parseMessage } from './parse-message.ts';
import { parseSummary } from './parse-summary.ts';

const fixture = (name: string): Buffer =>
  readFileSync(new URL(`../../../tests/fixtures/mail/${name}`, import.meta.url));
const parse = (name: string) => parseMessage(fixture(`${name}.eml`));
const lines = (text: string): string[] => text.split(/\r?\n/).filter((line) => line !== '');

test('a plain message is read field by field', () => {
  const message = parse('plain');
  assert.equal(message.subject, 'Hello');
  assert.deepEqual(message.from, [{ name: 'Bob Example', email: 'bob@example.test' }]);
  assert.deepEqual(message.to, [{ name: 'Alice', email: 'alice@example.test' }]);
  assert.deepEqual(message.cc, [
    { name: 'Carol, C.', email: 'carol@example.test' },
    { name: null, email: 'dave@example.test' },
  ]);
  assert.deepEqual(message.bcc, [{ name: null, email: 'eve@example.test' }]);
  assert.deepEqual(message.replyTo, [{ name: null, email: 'office@example.test' }]);
  assert.equal(message.messageId, 'm1@example.test');
  assert.deepEqual(message.inReplyTo, ['m0@example.test']);
  assert.deepEqual(message.references, ['root@example.test', 'm0@example.test']);
  assert.equal(message.sentAt, Date.UTC(2024, 6, 2, 10));
  assert.equal(message.text, 'Hello Alice,\r\n\r\n.a line with a dot\r\nyours, Bob\r\n');
  assert.equal(message.html, undefined);
  assert.equal(message.preview, 'Hello Alice, .a line with a dot yours, Bob');
  assert.deepEqual(message.attachments, []);
  assert.equal(message.hasAttachment, false);
  assert.equal(message.unparsable, false);
  assert.equal(message.headers.length, 12);
  assert.deepEqual(message.headers[11], { name: 'Content-Type', value: 'text/plain; charset=us-ascii' });
});

test('of an alternative the plain part is the text and the HTML part the html', () => {
  const message = parse('alternative');
  assert.equal(message.text, 'Gr\u00fc\u00dfe, soft break');
  assert.equal(message.html, '<p>Gr\u00fc\u00dfe, <b>soft break</b></p>');
  assert.equal(message.attachments.length, 0);
  assert.equal(message.unparsable, false);
});

test('HTML without a plain alternative is turned into text', () => {
  const message = parse('html-only');
  assert.match(message.text, /NEWS\n+One & two.three here \[https:\/\/example.test\/\]/i);
  assert.ok(message.html?.includes('<script>'));
  assert.doesNotMatch(message.text, /alert|color/);
  const summary = parseSummary(fixture('html-only.eml'));
  assert.equal(summary.preview, 'News One & two three here');
});

test('a PNG is read back byte for byte', () => {
  const raw = fixture('png.eml');
  const [picture, ...others] = parseMessage(raw).attachments;
  assert.ok(picture);
  assert.deepEqual(others, []);
  const png = fixture('picture.png');
  assert.deepEqual(
    { ...picture, start: 0, end: 0 },
    {
      n: 0,
      name: 'picture.png',
      type: 'image/png',
      size: png.length,
      inline: false,
      start: 0,
      end: 0,
      encoding: 'base64',
    },
  );
  assert.ok(decodePart(raw, picture).equals(png));
});

test('nested multiparts are walked, an enclosed message is an attachment', () => {
  const raw = fixture('nested.eml');
  const message = parseMessage(raw);
  assert.deepEqual(lines(message.text), ['plain words', 'footer words']);
  assert.equal(message.html, '<p>html words <img src="cid:logo@example.test"></p>');
  assert.deepEqual(
    message.attachments.map(({ n, name, type, cid, inline }) => [n, name, type, cid, inline]),
    [
      [0, undefined, 'image/gif', 'logo@example.test', true],
      [1, undefined, 'message/rfc822', undefined, false],
      [2, 'a.csv', 'text/csv', undefined, false],
    ],
  );
  assert.equal(message.hasAttachment, true);
  const [, enclosed, csv] = message.attachments;
  assert.ok(enclosed && csv);
  assert.equal(parseMessage(decodePart(raw, enclosed)).text, 'inner words');
  assert.equal(decodePart(raw, csv).toString(), 'a,b\r\n1,2');
});

test('file names are read in each form mailers use', () => {
  const message = parse('rfc2231');
  assert.deepEqual(
    message.attachments.map((attachment) => attachment.name),
    ['\u00dcbersicht und Pl\u00e4ne.pdf', 'na\u00efve.pdf', '\u00e4...pdf', 'c;d.pdf'],
  );
  assert.equal(message.subject, 'Name in f\u00fcnf Teilen');
});

test('charsets are decoded in subjects and bodies', () => {
  const japanese = parse('iso-2022-jp');
  assert.equal(japanese.subject, '\u65e5\u672c\u8a9e\u306e\u4ef6\u540d');
  assert.equal(japanese.text.trim(), '\u3053\u3093\u306b\u3061\u306f\u4e16\u754c');
  const western = parse('windows-1252');
  assert.equal(western.subject, '\u201cquoted\u201d \u20ac');
  assert.equal(western.text.trim(), '\u201ccaf\u00e9\u201d costs 5 \u20ac');
  assert.equal(parse('cp437').text.trim(), 'caf\u00e9');
});

test('8-bit headers are read as UTF-8, or as windows-1252 where they are not', () => {
  const message = parse('eight-bit-headers');
  assert.deepEqual(message.from, [{ name: 'J\u00fcrg', email: 'j\u00fcrg@b\u00fccher.test' }]);
  assert.deepEqual(message.to, [{ name: 'Ren\u00e9', email: 'rene@example.test' }]);
  assert.equal(message.subject, 'Gr\u00fc\u00dfe \u2709');
  assert.equal(message.sentAt, Date.UTC(2024, 6, 2, 17));
  assert.equal(message.messageId, 'no-brackets@example.test');
  assert.equal(message.text, '8-bit: gr\u00fcn\r\n');
});

test('a truncated message is read as far as it goes', () => {
  const raw = fixture('truncated.eml');
  const message = parseMessage(raw);
  assert.equal(message.text, 'all of this');
  const [half] = message.attachments;
  assert.equal(half?.name, 'half.bin');
  assert.equal(half?.size, 10);
  assert.equal(half?.end, raw.length);
  assert.equal(message.unparsable, false);
});

test('what has no header is all body and unparsable', () => {
  const message = parse('no-headers');
  assert.equal(message.unparsable, true);
  assert.equal(message.text, 'hello there\r\nthis is all I say\r\n\r\nbye\r\n');
  const traced = parse('no-headers-after-trace');
  assert.equal(traced.unparsable, true);
  assert.equal(traced.text, 'hello there\r\nthis is all I say\r\n');
  assert.equal(traced.headers.length, 2);
});

test('broken base64 gives what can be decoded, and sizes say how much', () => {
  const raw = fixture('broken-base64.eml');
  const message = parseMessage(raw);
  assert.equal(message.text, 'Hello, world');
  const [two] = message.attachments;
  assert.ok(two);
  assert.deepEqual([...decodePart(raw, two)], [0, 1, 2, 3, 4]);
  assert.equal(two.size, 5);
});

test('a header line that is none does not end a header that goes on', () => {
  const message = parse('broken-headers');
  assert.equal(message.subject, 'Still\tfolded'.replace('\t', ' '));
  assert.equal(message.text, 'body\r\n');
  assert.equal(message.unparsable, false);
});

test('a message that is a file has it as its attachment', () => {
  const message = parse('attachment-only');
  assert.equal(message.text, '');
  assert.deepEqual(
    message.attachments.map(({ name, size }) => [name, size]),
    [['a.zip', 22]],
  );
});

test('a multipart whose parts can not be told apart is shown as text and marked', () => {
  assert.deepEqual(
    [parse('wrong-boundary').text, parse('wrong-boundary').unparsable],
    ['just words\r\n--other\r\n', true],
  );
  const message = parse('no-boundary');
  assert.deepEqual([message.text, message.unparsable], ['just words\r\n', true]);
});

test('bare line feeds are read too', () => {
  const message = parse('bare-lf');
  assert.equal(message.text, 'first');
  assert.deepEqual(
    message.attachments.map(({ name, size }) => [name, size]),
    [['x.txt', 6]],
  );
});

test('an empty message is unparsable, not an error', () => {
  const message = parseMessage(Buffer.alloc(0));
  assert.deepEqual([message.unparsable, message.text, message.sentAt], [true, '', undefined]);
});

test('the summary says what the full message says', () => {
  const names = [
    'plain',
    'alternative',
    'png',
    'nested',
    'rfc2231',
    'iso-2022-jp',
    'windows-1252',
    'eight-bit-headers',
    'truncated',
    'no-headers',
    'broken-base64',
    'bare-lf',
    'no-boundary',
  ];
  for (const name of names) {
    const { searchText, ...summary } = parseSummary(fixture(`${name}.eml`));
    const full = parse(name);
    for (const [key, value] of Object.entries(summary))
      assert.deepEqual(value, Reflect.get(full, key), `${name}: ${key}`);
    assert.deepEqual({ searchText: '', ...summary }, parseSummary(fixture(`${name}.eml`), { searchText: false }), name);
    assert.ok(searchText.startsWith(full.text.slice(0, 40)), name);
  }
});

test('names of attachments can be searched', () => {
  assert.match(parseSummary(fixture('png.eml')).searchText, /See the picture[^]*picture\.png/);
});

test('a body past its cap is cut and says so', () => {
  const raw = Buffer.from(`Subject: long\r\n\r\n${'\u00fc'.repeat(1000)}`);
  const message = parseMessage(raw, { maxBodyBytes: 101 });
  assert.equal(message.text, '\u00fc'.repeat(50));
  assert.equal(message.bodyTruncated, true);
  assert.equal(parseMessage(raw).bodyTruncated, false);
});
