import { MalformedDnsMessage } from './malformed.ts';
import { encodeName, readName } from './name.ts';
import { type RecordData, readData, type RecordTypeName, typeNumbers } from './record-data.ts';

export interface DnsQuestion {
  /** As {@link normaliseName} gives it. */
  name: string;
  type: RecordTypeName;
}

export interface QueryOptions {
  id: number;
  /** With an OPT record (RFC 6891); some old servers know none. */
  edns: boolean;
  /** Asks for validation: DO (RFC 3225) and AD (RFC 6840 §5.7). */
  dnssec: boolean;
}

export interface DnsReply {
  id: number;
  truncated: boolean;
  /** AD: the server says that it has validated the answer. */
  authentic: boolean;
  rcode: number;
  /** Undefined when the server left it out, as some do with FORMERR. */
  question: { name: string; type: number } | undefined;
  answers: readonly ResourceRecord[];
  authority: readonly ResourceRecord[];
}

export interface ResourceRecord {
  name: string;
  ttlSeconds: number;
  data: RecordData;
}

export const rcodes = { noError: 0, formErr: 1, servFail: 2, nxDomain: 3, notImp: 4, refused: 5, badVers: 16 } as const;

/** What fits everywhere without fragments (DNS flag day 2020). */
const udpPayloadBytes = 1232;

/** A query with recursion desired (RFC 1035 §4.1). */
export function encodeQuery({ name, type }: DnsQuestion, { id, edns, dnssec }: QueryOptions): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(flags.rd | (dnssec ? flags.ad : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(edns ? 1 : 0, 10);
  const question = Buffer.alloc(4);
  question.writeUInt16BE(typeNumbers[type], 0);
  question.writeUInt16BE(classIn, 2);
  const parts = [header, encodeName(name), question];
  if (edns) {
    const opt = Buffer.alloc(11);
    opt.writeUInt16BE(optType, 1);
    opt.writeUInt16BE(udpPayloadBytes, 3);
    opt.writeUInt16BE(dnssec ? doFlag : 0, 7);
    parts.push(opt);
  }
  return Buffer.concat(parts);
}

/**
 * A reply, read to the last record that its header counts. Throws {@link MalformedDnsMessage} and nothing else; the work is bounded by the length, for each record
 * takes at least 11 octets and each name at most 255.
 */
export function parseReply(message: Buffer): DnsReply {
  if (message.length < 12) throw new MalformedDnsMessage('no header');
  const bits = message.readUInt16BE(2);
  if ((bits & flags.qr) === 0) throw new MalformedDnsMessage('a query, not a reply');
  if ((bits & opcodeMask) !== 0) throw new MalformedDnsMessage('not a reply to a query');
  const questions = message.readUInt16BE(4);
  if (questions > 1) throw new MalformedDnsMessage('more than one question');
  const reader = { message, at: 12 };
  const question = questions === 1 ? readQuestion(reader) : undefined;
  const truncated = (bits & flags.tc) !== 0;
  const head = { id: message.readUInt16BE(0), truncated, authentic: (bits & flags.ad) !== 0, question };
  // It will be asked again by TCP; the rest may end anywhere.
  if (truncated) return { ...head, rcode: bits & 0xf, answers: [], authority: [] };
  const answers = readSection(reader, message.readUInt16BE(6));
  const authority = readSection(reader, message.readUInt16BE(8));
  const additional = readSection(reader, message.readUInt16BE(10));
  return {
    ...head,
    rcode: (bits & 0xf) | (additional.extendedRcode << 4),
    answers: answers.records,
    authority: authority.records,
  };
}

const flags = { qr: 0x8000, tc: 0x0200, rd: 0x0100, ad: 0x0020 } as const;
const opcodeMask = 0x7800;
const classIn = 1;
const optType = 41;
const doFlag = 0x8000;

interface Reader {
  message: Buffer;
  at: number;
}

function readQuestion(reader: Reader): { name: string; type: number } {
  const { name, end } = readName(reader.message, reader.at);
  const [type, dnsClass] = [uint16(reader.message, end), uint16(reader.message, end + 2)];
  if (dnsClass !== classIn) throw new MalformedDnsMessage('a question of another class');
  reader.at = end + 4;
  return { name, type };
}

/** Records of types and classes that nobody asks for are passed over. */
function readSection(reader: Reader, count: number): { records: ResourceRecord[]; extendedRcode: number } {
  const { message } = reader;
  const records: ResourceRecord[] = [];
  let extendedRcode = 0;
  for (let i = 0; i < count; i++) {
    const { name, end } = readName(message, reader.at);
    const [type, dnsClass] = [uint16(message, end), uint16(message, end + 2)];
    const [ttlHigh, ttlLow] = [uint16(message, end + 4), uint16(message, end + 6)];
    const from = end + 10;
    const to = from + uint16(message, end + 8);
    if (to > message.length) throw new MalformedDnsMessage('a record runs past the end');
    if (type === optType) extendedRcode = ttlHigh >> 8;
    const data = dnsClass === classIn ? readData(message, { type, from, to }) : undefined;
    // RFC 2181 §8: a TTL with the highest bit set is 0.
    const ttlSeconds = ttlHigh >= 0x8000 ? 0 : ttlHigh * 0x10000 + ttlLow;
    if (data !== undefined) records.push({ name, ttlSeconds, data });
    reader.at = to;
  }
  return { records, extendedRcode };
}

function uint16(message: Buffer, at: number): number {
  if (at + 2 > message.length) throw new MalformedDnsMessage('it ends inside a record');
  return message.readUInt16BE(at);
}
