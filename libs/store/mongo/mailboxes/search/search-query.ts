import type { Filter, Long } from 'mongodb';
import type { MessageFilter } from '../../../ports/mailboxes.ts';
import { padded, type SearchDocument, type SearchField, termKey } from './search-document.ts';

/** A filter's searches in terms of the documents. */
export interface SearchQuery {
  /** The words to walk along: a message that is found has them all. At least one. */
  keys: readonly Long[];
  /** Whether the message has what was searched. */
  matches: Filter<SearchDocument>;
}

/** Undefined when the filter searches nothing. `nothing`: a search without terms, or with a token that isn't one, finds nothing. */
export function searchQuery(accountId: string, filter: MessageFilter): SearchQuery | 'nothing' | undefined {
  const keys = new Map<string, Long>();
  const conditions: Filter<SearchDocument>[] = [];
  let searches = false;
  for (const { name, field, columns } of searchFields) {
    const terms = filter[name];
    if (terms === undefined) continue;
    searches = true;
    if (terms.length === 0) return 'nothing';
    for (const tokens of terms) {
      if (tokens.length === 0 || !tokens.every((token) => tokenPattern.test(token))) return 'nothing';
      for (const token of tokens) keys.set(`${field} ${token}`, termKey(accountId, field, token));
      // Letters, digits and marks only: it is its own regular expression.
      const phrase = new RegExp(padded(tokens));
      const inColumn = columns.map((column) => ({ [column]: phrase }));
      conditions.push(inColumn.length === 1 ? { ...inColumn[0] } : { $or: inColumn });
    }
  }
  return searches ? { keys: longest(keys), matches: { accountId, $and: conditions } } : undefined;
}

interface SearchedField {
  name: 'text' | 'from' | 'to' | 'subject';
  field: SearchField;
  columns: readonly ('text' | 'from' | 'to' | 'subject')[];
}

const searchFields: readonly SearchedField[] = [
  { name: 'text', field: 'any', columns: ['text', 'subject', 'from', 'to'] },
  { name: 'from', field: 'from', columns: ['from'] },
  { name: 'to', field: 'to', columns: ['to'] },
  { name: 'subject', field: 'subject', columns: ['subject'] },
];

const tokenPattern = /^[\p{L}\p{N}\p{M}]+$/u;

/** Long words are rare ones. */
const longest = (keys: ReadonlyMap<string, Long>): Long[] =>
  [...keys]
    .toSorted(([one], [other]) => other.length - one.length)
    .slice(0, maxKeys)
    .map(([, key]) => key);

/** So many are compared by how often they occur. */
const maxKeys = 8;
