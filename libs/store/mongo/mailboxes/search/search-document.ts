import { Long } from 'mongodb';
import type { SearchEntry } from '../../../ports/mailboxes.ts';

/**
 * The words of one message, beside it: `messages` stays small, and neither a delivery nor a changed flag writes an index of words.
 * docs/decisions/search.md says why it is cut like this.
 */
export interface SearchDocument {
  /** Of the message. */
  _id: string;
  v: 1;
  accountId: string;
  receivedAt: number;
  /** A termKey for each word of any field, and for each word of a named field; in no order, each once. */
  terms: readonly Long[];
  /** Tokens in their order with a space before, between and behind them: what a term names is verified here. */
  from: string;
  to: string;
  subject: string;
  text: string;
}

/** `any`: in whichever field. */
export type SearchField = 'any' | 'from' | 'to' | 'subject';

export function searchDocument(entry: SearchEntry, { receivedAt }: { receivedAt: number }): SearchDocument {
  const { accountId, id } = entry;
  const [from, to, subject] = [
    fitting(entry.from, maxFieldBytes),
    fitting(entry.to, maxFieldBytes),
    fitting(entry.subject, maxFieldBytes),
  ];
  const text = fitting(entry.text, maxTextBytes);
  const keys = new TermKeys(accountId);
  keys.add('from', from);
  keys.add('to', to);
  keys.add('subject', subject);
  for (const tokens of [from, to, subject, text]) keys.add('any', tokens);
  return {
    _id: id,
    v: 1,
    accountId,
    receivedAt,
    terms: keys.all(),
    from: padded(from),
    to: padded(to),
    subject: padded(subject),
    text: padded(text),
  };
}

/**
 * The word as the index has it: 32 bits of the account, 32 of field and token, so that an entry is small and an account's entries are neighbours. Those
 * of another word or account that have the same bits are told apart by the tokens and the accountId.
 */
export const termKey = (accountId: string, field: SearchField, token: string): Long =>
  Long.fromBits(hash32(marks[field] + token), hash32(accountId));

export const padded = (tokens: readonly string[]): string => (tokens.length === 0 ? '' : ` ${tokens.join(' ')} `);

/** Not in a token. */
const marks: Readonly<Record<SearchField, string>> = { any: '', from: 'f ', to: 't ', subject: 's ' };

/** A document has at most 16 MiB. What is past them isn't found; a tokenized text of real mail is far smaller. */
const maxFieldBytes = 1024 * 1024;
const maxTextBytes = 8 * 1024 * 1024;

function fitting(tokens: readonly string[], maxBytes: number): readonly string[] {
  // A UTF-16 unit takes at most three bytes.
  let bytes = 0;
  for (const [index, token] of tokens.entries()) {
    bytes += 1 + 3 * token.length;
    if (bytes > maxBytes) return tokens.slice(0, index);
  }
  return tokens;
}

class TermKeys {
  readonly #high: number;
  readonly #low = new Set<number>();

  constructor(accountId: string) {
    this.#high = hash32(accountId);
  }

  add(field: SearchField, tokens: readonly string[]): void {
    for (const token of tokens) this.#low.add(hash32(marks[field] + token));
  }

  all(): Long[] {
    return Array.from(this.#low, (low) => Long.fromBits(low, this.#high));
  }
}

/** FNV-1a over UTF-16 units (draft-eastlake-fnv): quick, and evenly spread; nothing rests on collisions being hard to make. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash | 0;
}
