import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

/** A new UUIDv7 string (RFC 9562 §5.7): grows with time, so that indexes append; 74 random bits, so that nobody guesses one. */
export const newId = (): string => v7({ random: nextRandom() });

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** True when `text` has the form of an id of ours (lower-case UUID). */
export const isId = (text: string): boolean => uuidPattern.test(text);

const idBytes = 16;
/** Asking the system for 16 octets costs as much as asking for these; each is given out once. */
const pool = Buffer.allocUnsafe(256 * idBytes);
let given = pool.length;

function nextRandom(): Uint8Array {
  if (given === pool.length) {
    randomFillSync(pool);
    given = 0;
  }
  given += idBytes;
  return pool.subarray(given - idBytes, given);
}
