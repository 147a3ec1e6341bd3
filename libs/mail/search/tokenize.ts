/** A longer word is cut, in the index and in queries alike. In UTF-16 units. */
export const MAX_TOKEN_LENGTH = 64;
/** Of one text; what comes after is not found by search. */
const MAX_TOKENS = 50_000;
/** Text past it, in UTF-16 units, is not looked at. */
const MAX_TEXT_LENGTH = 1024 * 1024;

export type TokenizeOptions = { maxTokens?: number };

/**
 * The tokens of a text, in order and with repeats: the one rule by which mail is indexed and searched in every store.
 *
 * - A word is a run of letters and digits; everything else separates. `alice@example.test` is alice, example, test; `3.14` is 3, 14.
 * - Case, width and diacritics don't count: NFKC, lower case, marks dropped (`Müller` is muller), and letters that Unicode doesn't
 *   take apart are folded as people type them without a keyboard for them (`straße` is strasse, `Łódź` is lodz).
 *   The voicing marks of kana are no diacritics and stay.
 * - Scripts written without spaces (Han, kana, Thai, Lao, Khmer, Myanmar) and Hangul become overlapping pairs: `日本語` is 日本, 本語; a run of
 *   one character is that character. So a single character inside a longer run isn't found.
 * - A word longer than MAX_TOKEN_LENGTH is cut there.
 *
 * A token holds only letters and digits, so tokens joined by spaces come out of FTS5's `unicode61 remove_diacritics 0` as they went in.
 */
export function tokenize(text: string, options: TokenizeOptions = {}): string[] {
  const maxTokens = options.maxTokens ?? MAX_TOKENS;
  const source = text.length > MAX_TEXT_LENGTH ? text.slice(0, MAX_TEXT_LENGTH) : text;
  return ASCII.test(source) ? tokenizeAscii(source, maxTokens) : tokenizeUnicode(source, maxTokens);
}

const ASCII = /^[\x00-\x7f]*$/;
const ASCII_WORD = /[a-z0-9]+/g;

function tokenizeAscii(text: string, maxTokens: number): string[] {
  const words = text.toLowerCase().match(ASCII_WORD) ?? [];
  if (words.length > maxTokens) words.length = maxTokens;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (word.length > MAX_TOKEN_LENGTH) words[i] = word.slice(0, MAX_TOKEN_LENGTH);
  }
  return words;
}

/** What separates in every script separates here already; what isn't ASCII is left for folding to tell apart. */
const RUN = /[a-z0-9\u0080-\uffff]+/g;
const NOT_ASCII = /[\u0080-\uffff]/;

function tokenizeUnicode(text: string, maxTokens: number): string[] {
  const tokens: string[] = [];
  for (const run of text.toLowerCase().match(RUN) ?? []) {
    if (tokens.length >= maxTokens) break;
    if (NOT_ASCII.test(run)) tokenizeRun(run, tokens, maxTokens);
    else tokens.push(run.length > MAX_TOKEN_LENGTH ? cut(run) : run);
  }
  return tokens;
}

const DIACRITICS = /[\p{M}--[\u3099\u309a]]+/gv;
const UNDECOMPOSED = /[ßæœøłđħı]/g;
const FOLDED: Record<string, string> = { ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', ł: 'l', đ: 'd', ħ: 'h', ı: 'i' };
/** Group 1: a run in a script without spaces. Else: a run of other letters and digits. */
const WORD =
  /([[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]&&[\p{L}\p{N}]]+)|[[\p{L}\p{N}]--[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]]+/gv;

function tokenizeRun(run: string, tokens: string[], maxTokens: number): void {
  for (const [word, unspaced] of fold(run).matchAll(WORD)) {
    if (tokens.length >= maxTokens) return;
    if (unspaced === undefined) tokens.push(word.length > MAX_TOKEN_LENGTH ? cut(word) : word);
    else pushPairs(unspaced, tokens, maxTokens);
  }
}

function fold(text: string): string {
  const bare = text.normalize('NFKD').toLowerCase().normalize('NFKD').replace(DIACRITICS, '');
  return bare.replace(UNDECOMPOSED, (letter) => FOLDED[letter] ?? letter).normalize('NFC');
}

function pushPairs(run: string, tokens: string[], maxTokens: number): void {
  let previous: string | undefined;
  let alone = true;
  for (const character of run) {
    if (tokens.length >= maxTokens) return;
    if (previous !== undefined) {
      tokens.push(previous + character);
      alone = false;
    }
    previous = character;
  }
  if (alone && previous !== undefined) tokens.push(previous);
}

/** Not between the halves of a surrogate pair. */
function cut(word: string): string {
  const code = word.charCodeAt(MAX_TOKEN_LENGTH - 1);
  return word.slice(0, code >= 0xd800 && code < 0xdc00 ? MAX_TOKEN_LENGTH - 1 : MAX_TOKEN_LENGTH);
}
