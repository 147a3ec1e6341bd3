/** Distinguished encoding of ASN.1 (ITU-T X.690), as much of it as a certificate needs. Each function gives a whole element. */

export const sequence = (...elements: readonly Uint8Array[]): Buffer => element(0x30, Buffer.concat(elements));
export const set = (...elements: readonly Uint8Array[]): Buffer => element(0x31, Buffer.concat(elements));
export const octetString = (content: Uint8Array): Buffer => element(0x04, content);
export const bitString = (content: Uint8Array, unusedBits = 0): Buffer =>
  element(0x03, Buffer.concat([Buffer.from([unusedBits]), content]));
export const utf8String = (text: string): Buffer => element(0x0c, Buffer.from(text, 'utf8'));
export const boolean = (value: boolean): Buffer => element(0x01, Buffer.from([value ? 0xff : 0]));

/** `[tag]`; constructed wraps elements, primitive takes the content of a string type. */
export const explicit = (tag: number, inner: Uint8Array): Buffer => element(0xa0 | tag, inner);
export const implicit = (tag: number, content: Uint8Array): Buffer => element(0x80 | tag, content);

/** Not negative; from bytes, the highest first. */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const significant = bytes.subarray(start);
  // A first bit that is set would make it negative.
  const padding = (significant[0] ?? 0) >= 0x80 ? [0] : [];
  return element(0x02, Buffer.concat([Buffer.from(padding), significant]));
}

/** `1.2.840…` */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return element(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** RFC 5280 §4.1.2.5: GeneralizedTime in UTC, without fractions; for years up to 2049 it demands UTCTime. */
export function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '');
  const utcTime = Number(digits.slice(0, 4)) < 2050;
  return element(utcTime ? 0x17 : 0x18, Buffer.from(utcTime ? digits.slice(2) : digits, 'ascii'));
}

function base128(value: number): number[] {
  const bytes = [value % 128];
  for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128)) bytes.unshift(128 + (left % 128));
  return bytes;
}

function element(tag: number, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([tag, ...length(content.length)]), content]);
}

function length(count: number): number[] {
  if (count < 128) return [count];
  const bytes: number[] = [];
  for (let left = count; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  return [128 + bytes.length, ...bytes];
}
