import { createHash } from 'node:crypto';
import type { ReportKind } from './recipient-report.ts';

/**
 * The id of a message's n-th report of a kind: always the same for the same ones, so that a report accepted twice exists once. It has the form of a UUIDv7
 * (RFC 9562 §5.7) with the time of the message itself; all other bits are a hash of `<messageId>/dsn/<n>`, of a notice `<messageId>/delay/<n>` or `…/success/<n>`.
 */
export function reportId(messageId: string, n: number, kind: ReportKind): string {
  const hash = createHash('sha256').update(`${messageId}/${names[kind]}/${n}`).digest('hex');
  const time = messageId.slice(0, 13);
  const variant = (0x8 | (Number.parseInt(hash.charAt(3), 16) & 0x3)).toString(16);
  return `${time}-7${hash.slice(0, 3)}-${variant}${hash.slice(4, 7)}-${hash.slice(7, 19)}`;
}

const names: Readonly<Record<ReportKind, string>> = { failure: 'dsn', delay: 'delay', success: 'success' };
