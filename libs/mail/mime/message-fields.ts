import { type HeaderAddress, parseAddressList } from '../address/header-addresses.ts';
import { decodeHeaderBytes } from './charset.ts';
import { parseDateMs } from './date.ts';
import { decodeEncodedWords } from './encoded-words.ts';
import type { HeaderField } from './header-block.ts';
import { MAX_SUBJECT_LENGTH } from './limits.ts';
import { parseMessageIds } from './message-ids.ts';

/** The header fields that mailboxes list and threads are made of. Ids stand without angle brackets. */
export type MessageFields = {
  subject: string;
  from: HeaderAddress[];
  to: HeaderAddress[];
  cc: HeaderAddress[];
  bcc: HeaderAddress[];
  replyTo: HeaderAddress[];
  messageId: string | undefined;
  inReplyTo: string[];
  references: string[];
  /** of the Date field */
  sentAt: number | undefined;
};

/** The fields of a header block that have a meaning of their own; of repeated ones the first counts. */
export function readMessageFields(fields: readonly HeaderField[], maxAddresses?: number): MessageFields {
  const values = new Map<string, string>();
  for (const { key, value } of fields) if (READ_FIELDS.has(key) && !values.has(key)) values.set(key, value);
  const addresses = (key: string): HeaderAddress[] => {
    const value = values.get(key);
    return value === undefined ? [] : parseAddressList(decodeHeaderBytes(value), maxAddresses);
  };
  const ids = (key: string): string[] => {
    const value = values.get(key);
    return value === undefined ? [] : parseMessageIds(value);
  };
  const date = values.get('date');
  return {
    subject: readSubject(values.get('subject')),
    from: addresses('from'),
    to: addresses('to'),
    cc: addresses('cc'),
    bcc: addresses('bcc'),
    replyTo: addresses('reply-to'),
    messageId: ids('message-id')[0],
    inReplyTo: ids('in-reply-to'),
    references: ids('references'),
    sentAt: date === undefined ? undefined : parseDateMs(date),
  };
}

const READ_FIELDS = new Set([
  'subject',
  'from',
  'to',
  'cc',
  'bcc',
  'reply-to',
  'message-id',
  'in-reply-to',
  'references',
  'date',
]);
/** Encoded words take up to nine times the room of what they mean. */
const MAX_ENCODED_SUBJECT_LENGTH = 16 * MAX_SUBJECT_LENGTH;

function readSubject(value: string | undefined): string {
  if (value === undefined) return '';
  const decoded = decodeEncodedWords(decodeHeaderBytes(value.slice(0, MAX_ENCODED_SUBJECT_LENGTH)));
  return decoded
    .slice(0, MAX_SUBJECT_LENGTH)
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .toWellFormed();
}
