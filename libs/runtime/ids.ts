import { v7 } from 'uuid';

/** A new UUIDv7 string (RFC 9562 §5.7): grows with time, so that indexes append; 74 random bits, so that nobody guesses one. */
export const newId = (): string => v7();

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** True when `text` has the form of an id of ours (lower-case UUID). */
export const isId = (text: string): boolean => uuidPattern.test(text);
