import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * The mark that a message carries once an alias has forwarded it: when it comes back to the same alias, it goes in a circle. What Delivered-To says openly
 * elsewhere is a keyed hash here, since the alias is nobody's business among the other recipients.
 */
export interface ForwardMarks {
  /** The header line, ended by CRLF. `alias` is the key of the address. */
  line(alias: string): string;
  /** Whether one of the values of the header fields is the mark of this alias. */
  isMarked(values: readonly string[], alias: string): boolean;
}

/** Lower case. */
export const forwardMarkField = 'waypost-forwarded';

/** The first secret marks, all are recognised. */
export function createForwardMarks(secrets: readonly string[]): ForwardMarks {
  return {
    line: (alias) => `Waypost-Forwarded: ${markOf(secrets[0] ?? '', alias)}\r\n`,
    isMarked: (values, alias) =>
      secrets.some((secret) => {
        const mark = Buffer.from(markOf(secret, alias));
        return values
          .map((value) => Buffer.from(value))
          .some((v) => v.length === mark.length && timingSafeEqual(v, mark));
      }),
  };
}

const markOf = (secret: string, alias: string): string =>
  createHmac('sha256', secret).update(`forwarded\0${alias}`).digest('base64url').slice(0, 22);
