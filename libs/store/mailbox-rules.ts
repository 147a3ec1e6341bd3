import { Refused } from './errors.ts';
import type { MailboxRole } from './ports/mailboxes.ts';

/** What every adapter of Mailboxes keeps alike. */

/** Levels of mailboxes, the top one included. */
export const maxMailboxDepth = 10;
export const maxMailboxesPerAccount = 1_000;
/** RFC 8621 §2: at least 255 octets of UTF-8. */
const maxMailboxNameBytes = 255;

/** How long the key and the modseq of an expunged message are kept. */
export const tombstoneKeepMs = 30 * 24 * 3_600_000;

/** What an account begins with, by role. */
export const firstMailboxes: Readonly<Record<MailboxRole, string>> = {
  inbox: 'Inbox',
  archive: 'Archive',
  drafts: 'Drafts',
  sent: 'Sent',
  trash: 'Trash',
  junk: 'Junk',
};

/** Refused (`mailboxName`) unless 1 to 255 bytes, without control characters or characters that can't be encoded. */
export function checkMailboxName(name: string): void {
  const bytes = Buffer.byteLength(name);
  if (bytes === 0 || bytes > maxMailboxNameBytes || /\p{Cc}/u.test(name) || !name.isWellFormed()) {
    throw new Refused(
      'mailboxName',
      `a mailbox's name has 1 to ${maxMailboxNameBytes} bytes and no control characters`,
    );
  }
}

/** RFC 9051 §5.1: INBOX, in any case, is one name, at the top level. */
export const isInboxName = (name: string, parentId: string | null): boolean =>
  parentId === null && name.toLowerCase() === 'inbox';

/** RFC 8621 §2: neither `$seen` nor `$draft`. */
export const isUnread = (keywords: readonly string[]): boolean =>
  !keywords.includes('$seen') && !keywords.includes('$draft');

/** A list of messages carries them all. */
const maxKeywords = 100;

/** Lower case, each once, in a stable order. Refused (`tooManyKeywords`) past 100. */
export function normalKeywords(keywords: readonly string[]): string[] {
  const normal = [...new Set(keywords.map((keyword) => keyword.toLowerCase()))].sort();
  if (normal.length > maxKeywords) {
    throw new Refused('tooManyKeywords', `a message has at most ${maxKeywords} keywords`);
  }
  return normal;
}

/** `<incarnation>.<modseq>`. */
export const stateToken = (incarnation: number, modseq: number): string => `${incarnation}.${modseq}`;

/** Undefined when the token isn't of that form. */
export function parseStateToken(token: string): { incarnation: number; modseq: number } | undefined {
  const match = /^([0-9]{1,15})\.([0-9]{1,15})$/.exec(token);
  return match === null ? undefined : { incarnation: Number(match[1]), modseq: Number(match[2]) };
}
