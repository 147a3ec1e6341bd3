import { partitionCount } from './row.ts';

/** Number of local destinations, for ever. */
export const localDestinationCount = 64;

/** The destination of an account's mail: `local:<hash(accountId) mod 64>`. */
export const localDestination = (accountId: string): string => `local:${fnv1a(accountId) % localDestinationCount}`;

/** True for destinations that the mailbox service serves. */
export const isLocalDestination = (destination: string): boolean => destination.startsWith('local:');

/** The partition that a destination belongs to, for ever: 0…255. */
export const partitionOf = (destination: string): number => fnv1a(destination) % partitionCount;

/** The partition whose owner completes the fan-out and the reports of a message. */
export const partitionOfMessage = (messageId: string): number => fnv1a(messageId) % partitionCount;

/** FNV-1a, 32 bit, over the UTF-8 bytes: stable for ever, spread enough for a few hundred buckets, and no secret is at stake. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text, 'utf8')) {
    hash ^= byte;
    hash = Math.imul(hash, 0x01000193) >>> 0;
  }
  // The low bits of FNV are its weakest: fold the high half in before a modulus by a power of two.
  return (hash ^ (hash >>> 16)) >>> 0;
}
