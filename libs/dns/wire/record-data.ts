import ipaddr from 'ipaddr.js';
import { MalformedDnsMessage } from './malformed.ts';
import { readName } from './name.ts';

/** The types that are asked for or looked at. */
export const typeNumbers = { A: 1, CNAME: 5, SOA: 6, MX: 15, TXT: 16, AAAA: 28, TLSA: 52 } as const;

export type RecordTypeName = keyof typeof typeNumbers;

export type RecordData =
  | { type: 'A' | 'AAAA'; address: string }
  | { type: 'CNAME'; target: string }
  | { type: 'MX'; preference: number; exchange: string }
  | { type: 'TXT'; text: string }
  | { type: 'TLSA'; usage: number; selector: number; matchingType: number; data: Buffer }
  | { type: 'SOA'; minimumSeconds: number };

/** The data of a record from `from` to `to`, all of it and no octet more; undefined for another type. Throws {@link MalformedDnsMessage}. */
export function readData(
  message: Buffer,
  { type, from, to }: { type: number; from: number; to: number },
): RecordData | undefined {
  const data = message.subarray(from, to);
  switch (type) {
    case typeNumbers.A:
      exactly(data.length, 4, 'A');
      return { type: 'A', address: data.join('.') };
    case typeNumbers.AAAA:
      exactly(data.length, 16, 'AAAA');
      return { type: 'AAAA', address: ipaddr.fromByteArray([...data]).toString() };
    case typeNumbers.CNAME:
      return { type: 'CNAME', target: nameUpTo(message, { from, to }) };
    case typeNumbers.MX:
      atLeast(data.length, 3, 'MX');
      return { type: 'MX', preference: data.readUInt16BE(0), exchange: nameUpTo(message, { from: from + 2, to }) };
    case typeNumbers.TXT:
      return { type: 'TXT', text: characterStrings(data) };
    case typeNumbers.TLSA: {
      atLeast(data.length, 4, 'TLSA');
      const [usage = 0, selector = 0, matchingType = 0] = data;
      // A copy: the record outlives the message in a cache.
      return { type: 'TLSA', usage, selector, matchingType, data: Buffer.from(data.subarray(3)) };
    }
    case typeNumbers.SOA: {
      const { end } = readName(message, from);
      const numbers = readName(message, end).end;
      exactly(to - numbers, 20, 'SOA');
      return { type: 'SOA', minimumSeconds: message.readUInt32BE(numbers + 16) };
    }
    default:
      return undefined;
  }
}

function nameUpTo(message: Buffer, { from, to }: { from: number; to: number }): string {
  const { name, end } = readName(message, from);
  if (end !== to) throw new MalformedDnsMessage('a name does not fill its record');
  return name;
}

/** RFC 1035 §3.3: each with its length before it. */
function characterStrings(data: Buffer): string {
  const parts: string[] = [];
  for (let at = 0; at < data.length; ) {
    const next = at + 1 + (data[at] ?? 0);
    if (next > data.length) throw new MalformedDnsMessage('a string runs past its record');
    parts.push(data.toString('latin1', at + 1, next));
    at = next;
  }
  return parts.join('');
}

function exactly(length: number, wanted: number, type: string): void {
  if (length !== wanted) throw new MalformedDnsMessage(`${type} data of ${length} octets`);
}

function atLeast(length: number, wanted: number, type: string): void {
  if (length < wanted) throw new MalformedDnsMessage(`${type} data of ${length} octets`);
}
