import { tokenize } from './tokenize.ts';

const MAX_QUERY_LENGTH = 2000;
const MAX_TERMS = 32;
const MAX_TOKENS_OF_A_TERM = 64;

/**
 * What a person typed into a search field as terms that must all match; a term is tokens that must follow one another.
 *
 * - Words apart from each other are a term each: `invoice may` finds both, in any order.
 * - `"in quotes"` is one term. A quote that isn't closed reaches to the end. Curly quotes and guillemets count as quotes.
 * - A word with separators inside is one term too: `alice@example.test` is alice, example, test in a row.
 * - Words are whole words: `inv` doesn't find `invoice`, neither does a last word that is still being typed.
 *
 * No terms, when the text has no letter or digit: the caller decides what such a search finds.
 */
export function queryTerms(text: string): string[][] {
  const terms = new Map<string, string[]>();
  for (const [, quoted, word] of text.slice(0, MAX_QUERY_LENGTH).matchAll(TERM)) {
    const tokens = tokenize(quoted ?? word ?? '', { maxTokens: MAX_TOKENS_OF_A_TERM });
    if (tokens.length > 0 && terms.size < MAX_TERMS) terms.set(tokens.join(' '), tokens);
  }
  return [...terms.values()];
}

const TERM =
  /["\u201c\u201d\u201e\u00ab\u00bb]([^"\u201c\u201d\u201e\u00ab\u00bb]*)["\u201c\u201d\u201e\u00ab\u00bb]?|([^\s"\u201c\u201d\u201e\u00ab\u00bb]+)/g;
