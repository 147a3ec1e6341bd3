import type { HeaderAddress } from '../address/header-addresses.ts';
import { parseSummary } from '../mime/parse-summary.ts';
import { tokenize } from '../search/tokenize.ts';

/** What a mailbox keeps of a message beside its bytes. Ids without angle brackets, times in ms. */
export type ListedSummary = {
  from: HeaderAddress[];
  to: HeaderAddress[];
  cc: HeaderAddress[];
  subject: string;
  messageIdHeader: string | null;
  inReplyTo: string[];
  references: string[];
  sentAt: number | null;
  preview: string;
  hasAttachment: boolean;
  unparsable: boolean;
};

/** Tokens by the field that a search can name; `to` has the cc and bcc too, `text` has everything. */
export type SearchTokens = { from: string[]; to: string[]; subject: string[]; text: string[] };

/** `search` is there when it was asked for. */
export type Listing = { summary: ListedSummary; search?: SearchTokens };

export type ListingOptions = { /** Make the search tokens; default false. */ search?: boolean };

/** Summary and, when asked for, search tokens of one raw message. */
export function readListing(raw: Uint8Array, options: ListingOptions = {}): Listing {
  const search = options.search ?? false;
  const parsed = parseSummary(raw, { searchText: search });
  const { from, to, cc, bcc, replyTo: _, messageId, sentAt, searchText, subject, ...rest } = parsed;
  const summary = { from, to, cc, subject, messageIdHeader: messageId ?? null, sentAt: sentAt ?? null, ...rest };
  if (!search) return { summary };
  const tokens = { from: addressTokens(from), to: addressTokens([...to, ...cc, ...bcc]), subject: tokenize(subject) };
  return {
    summary,
    search: { ...tokens, text: [...tokens.subject, ...tokens.from, ...tokens.to, ...tokenize(searchText)] },
  };
}

/** What is listed of a message that the parser could not finish. */
export function unreadListing(options: ListingOptions = {}): Listing {
  const summary: ListedSummary = {
    from: [],
    to: [],
    cc: [],
    subject: '',
    messageIdHeader: null,
    inReplyTo: [],
    references: [],
    sentAt: null,
    preview: '',
    hasAttachment: false,
    unparsable: true,
  };
  return options.search ? { summary, search: { from: [], to: [], subject: [], text: [] } } : { summary };
}

function addressTokens(addresses: readonly HeaderAddress[]): string[] {
  return tokenize(addresses.map(({ name, email }) => `${name ?? ''} ${email}`).join(' '));
}
