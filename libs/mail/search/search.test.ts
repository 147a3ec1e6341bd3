import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import { queryTerms } from './query-terms.ts';
import { MAX_TOKEN_LENGTH, tokenize } from './tokenize.ts';

const cases: [string, string, string[]][] = [
  ['words', 'Hello, World! 42', ['hello', 'world', '42']],
  ['an email address', '<alice@example.test>', ['alice', 'example', 'test']],
  ['diacritics', 'Jürgen Müller, naïve ÉTÉ', ['jurgen', 'muller', 'naive', 'ete']],
  ['decomposed letters', 'Mu\u0308ller', ['muller']],
  ['letters that do not decompose', 'Straße Łódź Ærø', ['strasse', 'lodz', 'aero']],
  ['width and ligatures', 'Ｆｕｌｌ ﬁne', ['full', 'fine']],
  ['Cyrillic and Greek', 'Привет ΚΌΣΜΟΣ', ['привет', 'κοσμος']],
  ['Japanese', '日本語 カナ あ', ['日本', '本語', 'カナ', 'あ']],
  ['voiced kana', 'ガス ｶﾞｽ', ['ガス', 'ガス']],
  ['mixed scripts in one word', 'Node入門24', ['node', '入門', '24']],
  ['Hangul', '한국어', ['한국', '국어']],
  ['Thai', 'ไทย', ['ไท', 'ทย']],
  ['Han outside the basic plane', '\u{20bb7}\u91ce\u5bb6', ['\u{20bb7}\u91ce', '\u91ce\u5bb6']],
  ['nothing', ' -- \u200b!', []],
  ['emoji', 'hi 👋🏽 there', ['hi', 'there']],
];
for (const [name, text, tokens] of cases) test(`${name}: tokens`, () => assert.deepEqual(tokenize(text), tokens));

test('a long word is cut and its cut form finds it', () => {
  const [token] = tokenize('x'.repeat(1000));
  assert.equal(token, 'x'.repeat(MAX_TOKEN_LENGTH));
  assert.deepEqual(tokenize(`ü${'x'.repeat(1000)}`), [`u${'x'.repeat(MAX_TOKEN_LENGTH - 1)}`]);
});

test('the number of tokens is capped', () => {
  assert.equal(tokenize('a '.repeat(100), { maxTokens: 7 }).length, 7);
  assert.equal(tokenize('日本語です '.repeat(100), { maxTokens: 7 }).length, 7);
});

test('tokens are letters and digits, and are their own tokens', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), fc.string()), (text) => {
      for (const token of tokenize(text)) {
        assert.match(token, /^[\p{L}\p{N}]+$/u);
        assert.ok(token.length <= MAX_TOKEN_LENGTH);
        assert.deepEqual(tokenize(token), [token]);
      }
    }),
    { numRuns: 2000 },
  );
});

test('the text in pure ASCII gives the same tokens by either path', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii' }), (text) => {
      assert.deepEqual(tokenize(`${text} é`), [...tokenize(text), 'e']);
    }),
  );
});

test('tokens go through FTS5 unchanged: each text is found by its own tokens as a phrase', () => {
  const db = new DatabaseSync(':memory:');
  db.exec("CREATE VIRTUAL TABLE found USING fts5(tokens, tokenize = 'unicode61 remove_diacritics 0')");
  const insert = db.prepare('INSERT INTO found (rowid, tokens) VALUES (?, ?)');
  const match = db.prepare('SELECT rowid FROM found WHERE found MATCH ?');
  for (const [i, [, text]] of cases.entries()) insert.run(i + 1, tokenize(text).join(' '));
  for (const [i, [name, , tokens]] of cases.entries()) {
    if (tokens.length === 0) continue;
    const rows = match.all(`"${tokens.join(' ')}"`).map((row) => row['rowid']);
    assert.ok(rows.includes(i + 1), name);
  }
  db.close();
});

test('a query is words that must all match and phrases', () => {
  assert.deepEqual(queryTerms('invoice  May'), [['invoice'], ['may']]);
  assert.deepEqual(queryTerms('"annual report" 2024'), [['annual', 'report'], ['2024']]);
  assert.deepEqual(queryTerms('from alice@example.test'), [['from'], ['alice', 'example', 'test']]);
  assert.deepEqual(queryTerms('“smart quotes” x"un closed'), [['smart', 'quotes'], ['x'], ['un', 'closed']]);
  assert.deepEqual(queryTerms('日本語'), [['日本', '本語']]);
  assert.deepEqual(queryTerms('a A "a"'), [['a']]);
  assert.deepEqual(queryTerms(' "" -- '), []);
});

test('a query is bounded', () => {
  assert.ok(queryTerms(Array.from({ length: 500 }, (_, i) => `w${i}`).join(' ')).length <= 32);
  assert.ok(queryTerms(`"${'a '.repeat(1000)}"`).every((term) => term.length <= 64));
});
