import { createHash, randomBytes } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import type { Counter } from 'prom-client';
import { normalisePassword } from '../../libs/directory/password-policy.ts';

export interface Passwords {
  /** PHC string of argon2id. */
  hash(password: string): Promise<string>;
  /** Exactly one argon2id computation; without a stored hash it is one that never fits, so that both take the same time. */
  verify(stored: string | undefined, password: string): Promise<boolean>;
}

/** Counts each computation, because the same number for every login is what hides which users exist. */
export function createPasswords(computations: Counter<'operation'>): Passwords {
  const nobodys = hashOfNothing();
  return {
    hash: (password) => {
      computations.inc({ operation: 'hash' });
      return hash(normalisePassword(password), argon2id);
    },
    verify: async (stored, password) => {
      computations.inc({ operation: 'verify' });
      const fits = await verify(stored ?? nobodys, normalisePassword(password));
      return fits && stored !== undefined;
    },
  };
}

/** Argon2id is the library's default; parameters as OWASP advises where memory is dear: 19 MiB, two passes, one lane. */
const argon2id = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** The PHC string of a hash that no password is known for, with our parameters. */
function hashOfNothing(): string {
  const { memoryCost, timeCost, parallelism } = argon2id;
  const [salt, digest] = [16, 32].map((bytes) => randomBytes(bytes).toString('base64').replaceAll('=', ''));
  return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${salt}$${digest}`;
}

/** SHA-256 in hex: enough for secrets that we made, long and random. */
export const secretDigest = (secret: string): string => createHash('sha256').update(secret, 'utf8').digest('hex');

/** Base32 of RFC 4648 §6 in lower case: no letter that a phone's keyboard hides, 0, 1 and 8 not taken for o, l and b. */
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

/** Random text of `length` letters and digits, 5 bits each. */
export function randomText(length: number): string {
  let text = '';
  for (const byte of randomBytes(length)) text += alphabet.charAt(byte & 31);
  return text;
}

/** 100 random bits in groups that people can read out. */
export const generatedPassword = (): string => Array.from({ length: 4 }, () => randomText(5)).join('-');
