import { problem } from './problem.ts';

/** Our bodies have four levels. */
const maxDepth = 32;
/** A message to 3,000 recipients with 100 attachments has some 10,000. */
const maxValues = 50_000;

/**
 * Refuses JSON that is small as text and huge as values, before it is parsed: 34 MiB of `[],[],…` become more than a gigabyte and take seconds. Throws the
 * problem `malformedJson`. That it is JSON at all is not checked here.
 */
export function checkJsonShape(bytes: Uint8Array): void {
  let depth = 0;
  let values = 0;
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case quote:
        at = endOfString(bytes, at);
        break;
      case openBracket:
      case openBrace:
        depth++;
        values++;
        break;
      case closeBracket:
      case closeBrace:
        depth--;
        break;
      case comma:
        values++;
        break;
      default:
    }
    if (depth > maxDepth) throw problem('malformedJson', `it is nested deeper than ${maxDepth} levels`);
    if (values > maxValues) throw problem('malformedJson', `it has more than ${maxValues} values`);
  }
}

function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  // A backslash takes the next byte with it.
  while (at < bytes.length && bytes[at] !== quote) at += bytes[at] === backslash ? 2 : 1;
  return at;
}

const quote = 0x22;
const comma = 0x2c;
const openBracket = 0x5b;
const backslash = 0x5c;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
