import { isIPv6 } from 'node:net';
import type { RecordType, Said } from './zones.ts';

export interface ReceivedQuery {
  id: number;
  /** Lower case, no last dot. */
  name: string;
  /** `TYPE99` where it has no name here. */
  type: string;
  edns: boolean;
  /** AD or DO. */
  dnssec: boolean;
  /** Question and what comes before it, as received. */
  head: Buffer;
}

const numbers = { A: 1, CNAME: 5, SOA: 6, MX: 15, TXT: 16, AAAA: 28, TLSA: 52 } as const;

/** Only for the tests' own client: no checks. */
export function readQuery(message: Buffer): ReceivedQuery {
  const labels: string[] = [];
  let at = 12;
  for (let length = message[at]!; length > 0; length = message[at]!) {
    labels.push(message.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const number = message.readUInt16BE(at + 1);
  const type = Object.entries(numbers).find(([, value]) => value === number)?.[0] ?? `TYPE${number}`;
  const end = at + 5;
  const edns = message.readUInt16BE(10) > 0;
  // Root name, type, payload size, extended code and version, then the flags of EDNS.
  const dnssecOk = edns && (message.readUInt16BE(end + 7) & 0x8000) !== 0;
  const authenticWanted = (message.readUInt16BE(2) & 0x20) !== 0;
  const name = labels.join('.').toLowerCase();
  return {
    id: message.readUInt16BE(0),
    name,
    type,
    edns,
    dnssec: dnssecOk || authenticWanted,
    head: message.subarray(0, end),
  };
}

export interface ReplyOptions {
  rcode: number;
  truncated?: boolean;
  id?: number;
  /** In seconds, for answers without records. */
  negativeTtl: number;
}

/** A reply with records, or with the SOA of the root where there are none. */
export function encodeReply(query: ReceivedQuery, said: Said, options: ReplyOptions): Buffer {
  const header = Buffer.from(query.head);
  const { rcode, truncated = false, id = query.id, negativeTtl } = options;
  const records = truncated
    ? []
    : said.answers.map(({ name, type, value, ttlSeconds }) => record(name, type, ttlSeconds, data(type, value)));
  const negative = !truncated && !said.answers.some(({ type }) => type === query.type);
  const soa = negative ? [record('', 'SOA', negativeTtl, soaData(negativeTtl))] : [];
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(0x8180 | (truncated ? 0x200 : 0) | (said.authentic && query.dnssec ? 0x20 : 0) | rcode, 2);
  header.writeUInt16BE(records.length, 6);
  header.writeUInt16BE(soa.length, 8);
  header.writeUInt16BE(query.edns ? 1 : 0, 10);
  const opt = query.edns ? [Buffer.from([0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0])] : [];
  return Buffer.concat([header, ...records, ...soa, ...opt]);
}

function record(owner: string, type: keyof typeof numbers, ttlSeconds: number, content: Buffer): Buffer {
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(numbers[type], 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(ttlSeconds, 4);
  fixed.writeUInt16BE(content.length, 8);
  return Buffer.concat([name(owner), fixed, content]);
}

function data(type: RecordType, value: string): Buffer {
  switch (type) {
    case 'A':
      return Buffer.from(value.split('.').map(Number));
    case 'AAAA':
      return ipv6(value);
    case 'CNAME':
      return name(value);
    case 'MX': {
      const [preference = '', exchange = ''] = value.split(' ');
      return Buffer.concat([uint16(Number(preference)), name(exchange)]);
    }
    case 'TXT':
      return strings(Buffer.from(value, 'utf8'));
    case 'TLSA': {
      const [usage, selector, matchingType, hex = ''] = value.split(' ');
      return Buffer.concat([
        Buffer.from([Number(usage), Number(selector), Number(matchingType)]),
        Buffer.from(hex, 'hex'),
      ]);
    }
  }
}

function name(text: string): Buffer {
  const labels = text.split('.').filter((label) => label !== '');
  return Buffer.concat([
    ...labels.flatMap((label) => [Buffer.from([label.length]), Buffer.from(label)]),
    Buffer.from([0]),
  ]);
}

function ipv6(text: string): Buffer {
  if (!isIPv6(text)) throw new Error(`not an IPv6 address: ${text}`);
  const [before = '', after] = new URL(`http://[${text}]/`).hostname.slice(1, -1).split('::');
  const groups = (part: string | undefined): string[] => (part === undefined || part === '' ? [] : part.split(':'));
  const [head, tail] = [groups(before), groups(after)];
  const all = [...head, ...Array<string>(8 - head.length - tail.length).fill('0'), ...tail];
  return Buffer.concat(all.map((group) => uint16(Number.parseInt(group, 16))));
}

function strings(text: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at === 0 || at < text.length; at += 255) {
    const part = text.subarray(at, at + 255);
    parts.push(Buffer.from([part.length]), part);
  }
  return Buffer.concat(parts);
}

function soaData(minimumSeconds: number): Buffer {
  const numbersOf = Buffer.alloc(20);
  numbersOf.writeUInt32BE(minimumSeconds, 16);
  return Buffer.concat([name('ns.test'), name('root.test'), numbersOf]);
}

function uint16(value: number): Buffer {
  const octets = Buffer.alloc(2);
  octets.writeUInt16BE(value);
  return octets;
}
