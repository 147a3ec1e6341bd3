import { domainToASCII } from 'node:url';
import { MalformedDnsMessage } from './malformed.ts';

/**
 * Domain names (RFC 1035 §3.1, §4.1.4). As text they are in lower case without the last dot, the root is ''. Octets that no host name has, a dot inside a
 * label among them, are escaped as `\DDD` (RFC 4343 §2.1), so that two names are never one text.
 */

/** The form that is asked for; undefined when it can't be a name: empty, or a label or all of it too long. */
export function normaliseName(text: string): string | undefined {
  const bare = text.endsWith('.') ? text.slice(0, -1) : text;
  // domainToASCII undoes percent-encoding, which no name has.
  if (bare.length > 4 * maxNameOctets || bare.includes('%')) return undefined;
  const ascii = /^[\x21-\x7e]+$/.test(bare) ? bare.toLowerCase() : domainToASCII(bare);
  if (ascii === '' || ascii.length > maxNameOctets - 2 || !/^[a-z0-9._-]+$/.test(ascii)) return undefined;
  return ascii.split('.').every((label) => label.length > 0 && label.length <= maxLabelOctets) ? ascii : undefined;
}

/** `name` as from {@link normaliseName}, or '' for the root. */
export function encodeName(name: string): Buffer {
  const labels = name === '' ? [] : name.split('.');
  const parts = labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label, 'latin1')]);
  return Buffer.concat([...parts, Buffer.from([0])]);
}

/** The name at `offset` and where what follows it begins. Throws {@link MalformedDnsMessage}. */
export function readName(message: Buffer, offset: number): { name: string; end: number } {
  const labels: string[] = [];
  let octets = 1;
  let at = offset;
  let end: number | undefined;
  // Pointers must lead to before the place where the name, or the part that the last pointer led to, begins: so loops can't be.
  let limit = offset;
  for (;;) {
    const length = message[at];
    if (length === undefined) throw new MalformedDnsMessage('a name runs past the end');
    if (length === 0) return { name: labels.join('.'), end: end ?? at + 1 };
    if (length >= pointerTag) {
      const low = message[at + 1];
      if (low === undefined) throw new MalformedDnsMessage('a pointer runs past the end');
      const target = ((length & 0x3f) << 8) | low;
      if (target >= limit) throw new MalformedDnsMessage('a pointer that does not lead back');
      end ??= at + 2;
      limit = target;
      at = target;
      continue;
    }
    if (length > maxLabelOctets) throw new MalformedDnsMessage('a label of an unknown kind');
    octets += length + 1;
    if (octets > maxNameOctets) throw new MalformedDnsMessage('a name longer than 255 octets');
    const label = message.subarray(at + 1, at + 1 + length);
    if (label.length < length) throw new MalformedDnsMessage('a label runs past the end');
    labels.push(printable(label));
    at += 1 + length;
  }
}

const maxLabelOctets = 63;
const maxNameOctets = 255;
const pointerTag = 0xc0;

function printable(label: Buffer): string {
  return label
    .toString('latin1')
    .replace(/[^A-Za-z0-9_-]/g, (octet) => `\\${String(octet.charCodeAt(0)).padStart(3, '0')}`)
    .toLowerCase();
}
