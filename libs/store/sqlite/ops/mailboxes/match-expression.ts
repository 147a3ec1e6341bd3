import type { MessageFilter } from '../../../ports/mailboxes.ts';
import { accountToken } from './search-index.ts';

/**
 * The filter's searches as an FTS5 expression: each term a quoted phrase in its columns, all of them, and always the account's own mark. Undefined when
 * the filter searches nothing. A search without terms, or with a token that isn't one, finds nothing.
 */
export function matchExpression(account: number, filter: MessageFilter): string | undefined {
  const searches = searchFields.flatMap(({ name, columns }) => {
    const terms = filter[name];
    return terms === undefined ? [] : [{ columns, terms }];
  });
  if (searches.length === 0) return undefined;
  const phrases = searches.flatMap(({ columns, terms }) =>
    terms.length === 0 ? [nothing] : terms.map((term) => phrase(columns, term)),
  );
  return [`acct : "${accountToken(account)}"`, ...phrases].join(' AND ');
}

const searchFields = [
  { name: 'text', columns: '{sender recipients subject body}' },
  { name: 'from', columns: '{sender}' },
  { name: 'to', columns: '{recipients}' },
  { name: 'subject', columns: '{subject}' },
] as const;

/** No account has this mark. */
const nothing = 'acct : "none"';

/** Letters, digits and marks only: nothing that means something to FTS5 can be in a phrase. */
const tokenPattern = /^[\p{L}\p{N}\p{M}]+$/u;

const phrase = (columns: string, tokens: readonly string[]): string =>
  tokens.length > 0 && tokens.every((token) => tokenPattern.test(token))
    ? `${columns} : "${tokens.join(' ')}"`
    : nothing;
