import { z } from 'zod';

/** NIST SP 800-63B §3.1.1: length is what counts, no rules of composition. */
export const minPasswordLength = 10;
/** The cap of `auth.verify`; also keeps hashing from being fed megabytes. */
const maxPasswordBytes = 1_024;

/** A password that is to be set. Messages are shown to people. */
export const newPassword = z
  .string()
  .min(minPasswordLength, `a password has at least ${minPasswordLength} characters`)
  .max(maxPasswordBytes, tooLong())
  .refine((text) => Buffer.byteLength(text, 'utf8') <= maxPasswordBytes, tooLong())
  .refine((text) => text.isWellFormed(), 'a password is valid Unicode')
  .meta({ description: `${minPasswordLength} characters or more, at most ${maxPasswordBytes} bytes in UTF-8` });

/** One form for what keyboards give in several (RFC 8265 §4.2.2 step 4: NFC). */
export const normalisePassword = (password: string): string => password.normalize('NFC');

function tooLong(): string {
  return `a password has at most ${maxPasswordBytes} bytes in UTF-8`;
}
