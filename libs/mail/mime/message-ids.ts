import { decodeHeaderBytes } from './charset.ts';
import { MAX_MESSAGE_IDS } from './limits.ts';

const MAX_ID_LENGTH = 998;

/**
 * The message ids of a Message-ID, In-Reply-To or References field (RFC 5322 §3.6.4) without their angle brackets.
 * What stands between them (old mailers put phrases there) is skipped; without any brackets, words with an '@' are taken.
 */
export function parseMessageIds(field: string): string[] {
  const value = decodeHeaderBytes(field);
  const ids: string[] = [];
  let at = value.indexOf('<');
  if (at === -1)
    return capped(value.split(/[\s,]+/).filter((word) => word.includes('@') && word.length <= MAX_ID_LENGTH));
  while (at !== -1) {
    const end = value.indexOf('>', at);
    if (end === -1) break;
    const id = value.slice(value.lastIndexOf('<', end) + 1, end).replace(/\s+/g, '');
    if (id !== '' && id.length <= MAX_ID_LENGTH) ids.push(id);
    at = value.indexOf('<', end);
  }
  return capped(ids);
}

function capped(ids: string[]): string[] {
  const unique = [...new Set(ids)];
  return unique.length <= MAX_MESSAGE_IDS ? unique : [...unique.slice(0, 1), ...unique.slice(1 - MAX_MESSAGE_IDS)];
}
