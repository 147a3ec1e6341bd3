import { decodeEncodedWords } from '../mime/encoded-words.ts';

/** A mailbox in a header field (RFC 8621 §4.1.2.3). `email` may be anything a sender wrote: it is shown, never trusted. */
export type HeaderAddress = { name: string | null; email: string };

/** Past it the rest of the field is left out; the raw message has it. */
export const MAX_HEADER_ADDRESSES = 1000;
/** Of a field's value, in characters: all of RFC 5322's line length a thousand times is no address list any more. */
const MAX_FIELD_LENGTH = 256 * 1024;
const MAX_NAME_LENGTH = 512;
const MAX_EMAIL_LENGTH = 512;

/**
 * Reads an address list (RFC 5322 §3.4) from an unfolded header value whose bytes were already turned into text.
 * Groups are flattened, comments serve as names where there is no other, encoded words are decoded in names and nowhere
 * else (an address made of encoded words is a trick). Never throws; one pass over the text.
 */
export function parseAddressList(value: string, maxAddresses = MAX_HEADER_ADDRESSES): HeaderAddress[] {
  const text = value.length > MAX_FIELD_LENGTH ? value.slice(0, MAX_FIELD_LENGTH) : value;
  const simple = SIMPLE.exec(text);
  if (simple) return [{ name: simple[1] ?? simple[2] ?? null, email: simple[3] ?? simple[4] ?? '' }];
  const addresses: HeaderAddress[] = [];
  let entry = newEntry();
  let at = 0;
  while (at < text.length && addresses.length < maxAddresses) {
    const char = text.charAt(at);
    if (char === ',' || char === ';') {
      finish(entry, addresses);
      entry = newEntry();
      at++;
    } else if (char === ':' && entry.angle === undefined) {
      entry = newEntry(); // what stood there was the name of a group
      at++;
    } else {
      at = readToken(text, at, entry);
    }
  }
  if (addresses.length < maxAddresses) finish(entry, addresses);
  return addresses;
}

/** The forms that nearly all mail has: `a@b`, `Name <a@b>`, `"Name" <a@b>`. */
const ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,128}@[A-Za-z0-9.-]{1,255}";
const SIMPLE = new RegExp(
  `^(?:(?:"([^"\\\\=]{1,200})"|([A-Za-z0-9 .'-]{0,200}[A-Za-z0-9.'-])) {0,3}<(${ATOM})>|<?(${ATOM})>?)$`,
);

type Word = {
  /** as written, quotes included: what an address is made of */
  raw: string;
  /** what a name is made of */
  value: string;
  hasAt: boolean;
};
type Entry = { words: Word[]; angle: string | undefined; comment: string; glued: boolean };

function newEntry(): Entry {
  return { words: [], angle: undefined, comment: '', glued: false };
}

function readToken(text: string, at: number, entry: Entry): number {
  const char = text.charAt(at);
  if (char === ' ' || char === '\t' || char === '\r' || char === '\n') {
    // Obsolete syntax (RFC 5322 §4.4) lets white space stand around the '@'.
    entry.glued = entry.words.at(-1)?.raw.endsWith('@') ?? false;
    return at + 1;
  }
  if (char === '(') return readComment(text, at, entry);
  if (char === '<') return readAngle(text, at, entry);
  if (char === '"') {
    const quoted = readQuoted(text, at);
    addWord(entry, text.slice(at, quoted.end), quoted.value, false);
    return quoted.end;
  }
  ENCODED_WORD_AT.lastIndex = at;
  const encoded = char === '=' && !entry.glued ? ENCODED_WORD_AT.exec(text)?.[0] : undefined;
  if (encoded !== undefined) {
    addWord(entry, encoded, encoded, false);
    return at + encoded.length;
  }
  PLAIN_AT.lastIndex = at;
  const plain = PLAIN_AT.exec(text)?.[0] ?? char;
  addWord(entry, plain, plain, plain.includes('@'));
  return at + plain.length;
}

/** Encoded words may hold commas and angle brackets, against RFC 2047 §5 (3). */
const ENCODED_WORD_AT = /=\?[^?\s]{1,128}\?[bBqQ]\?[^?]{0,1024}\?=/y;
const PLAIN_AT = /[^\s"(),:;<]+/y;

function addWord(entry: Entry, raw: string, value: string, hasAt: boolean): void {
  const last = entry.words.at(-1);
  if (last && (entry.glued || raw.startsWith('@'))) {
    if (last.raw.length < MAX_EMAIL_LENGTH) last.raw += raw;
    if (last.value.length < MAX_NAME_LENGTH) last.value += value;
    last.hasAt ||= hasAt;
  } else if (entry.words.length < MAX_WORDS) {
    entry.words.push({ raw, value, hasAt });
  }
  entry.glued = true;
}

const MAX_WORDS = 256;

function readQuoted(text: string, start: number): { value: string; end: number } {
  let value = '';
  let at = start + 1;
  for (;;) {
    QUOTED_RUN.lastIndex = at;
    const run = QUOTED_RUN.exec(text)?.[0] ?? '';
    value += run;
    at += run.length;
    if (text.charAt(at) !== '\\') return { value, end: Math.min(at + 1, text.length) };
    value += text.charAt(at + 1);
    at += 2;
  }
}

const QUOTED_RUN = /[^"\\]*/y;

function readComment(text: string, start: number, entry: Entry): number {
  let depth = 0;
  let at = start;
  let content = '';
  for (; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '(' && depth++ === 0) continue;
    if (char === ')' && --depth === 0) break;
    if (char === '\\') at++;
    if (content.length < MAX_NAME_LENGTH) content += text.charAt(at);
  }
  entry.comment = content;
  entry.glued = false;
  return at + 1;
}

function readAngle(text: string, start: number, entry: Entry): number {
  let at = start + 1;
  let content = '';
  while (at < text.length && text.charAt(at) !== '>') {
    const end = text.charAt(at) === '"' ? readQuoted(text, at).end : at + 1;
    if (content.length < MAX_EMAIL_LENGTH) content += text.slice(at, end);
    at = end;
  }
  entry.angle ??= content;
  entry.glued = false;
  return at + 1;
}

function finish(entry: Entry, addresses: HeaderAddress[]): void {
  const { words } = entry;
  if (entry.angle !== undefined) {
    const email = cleanEmail(entry.angle.replace(/^@[^:]*:/, '')); // RFC 5322 §4.4: a source route is ignored
    const name = nameOf(words) ?? nameOfComment(entry);
    if (email !== '' || name !== null) addresses.push({ name, email });
    return;
  }
  const address = words.findLastIndex((word) => word.hasAt);
  if (address !== -1) {
    const email = cleanEmail(words[address]?.raw ?? '');
    addresses.push({ name: nameOf(words.toSpliced(address, 1)) ?? nameOfComment(entry), email });
  } else if (words.length === 1 && words[0]) {
    addresses.push({ name: nameOfComment(entry), email: cleanEmail(words[0].raw) }); // a local user, as cron writes
  } else if (words.length > 1) {
    addresses.push({ name: nameOf(words), email: '' });
  }
}

function nameOf(words: Word[]): string | null {
  return words.length === 0 ? null : cleanName(decodeEncodedWords(words.map((word) => word.value).join(' ')));
}

function nameOfComment(entry: Entry): string | null {
  return cleanName(decodeEncodedWords(entry.comment));
}

/** Encoded words can hide line ends and control characters. */
function cleanName(name: string): string | null {
  const clean = name
    .slice(0, MAX_NAME_LENGTH)
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .toWellFormed();
  return clean === '' ? null : clean;
}

function cleanEmail(email: string): string {
  return email
    .slice(0, MAX_EMAIL_LENGTH)
    .replace(/[\p{Cc}\s]+/gu, email.includes('"') ? ' ' : '')
    .trim()
    .toWellFormed();
}
