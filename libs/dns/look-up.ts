import { isTrouble, type ServerAsker, unknown } from './ask-servers.ts';
import type { DnsFailure, DnsFound } from './port.ts';
import { normaliseName } from './wire/name.ts';
import { type DnsQuestion, type DnsReply, rcodes, type ResourceRecord } from './wire/message.ts';
import type { RecordData } from './wire/record-data.ts';

export type Answer = DnsFound<RecordData> | DnsFailure;

/** Longer chains of CNAMEs are nobody's; a resolver gives up at about this length too. */
const maxCnames = 8;
/** RFC 2308 §5 would let three hours pass; a domain that was just made or mended shouldn't wait so long. */
const maxNegativeTtlMs = 5 * 60_000;
/** How long trouble is remembered, so that a burst of mail to one domain waits once (RFC 2308 §7). */
const troubleTtlMs = 2_000;

/**
 * One question to its end: CNAMEs are followed through the replies and, where a reply stops at one, by asking again. The answer is secure when each reply was.
 */
export async function lookUp(
  asker: ServerAsker,
  question: DnsQuestion,
  options: { dnssec: boolean; deadlineMs: number; signal: AbortSignal },
): Promise<Answer> {
  const chain: Chain = { name: question.name, seen: new Set([question.name]), ttlMs: Number.POSITIVE_INFINITY };
  let secure = options.dnssec;
  for (;;) {
    const asked = chain.name;
    const reply = await asker.ask({ name: asked, type: question.type }, options);
    if (isTrouble(reply)) return unknown(reply, troubleTtlMs);
    secure &&= reply.authentic;
    const problem = followCnames(chain, reply, question.type);
    if (problem !== undefined) return unknown({ kind: 'servfail', detail: problem }, troubleTtlMs);
    const found = ofName(reply.answers, chain.name).filter(({ data }) => data.type === question.type);
    if (found.length > 0) {
      const ttlMs = Math.min(chain.ttlMs, ...found.slice(0, maxRecords).map(ttlOf));
      const records = found.slice(0, maxRecords).map(({ data }) => data);
      return { kind: 'found', records, ttlMs, secure, canonicalName: chain.name };
    }
    const nxdomain = reply.rcode === rcodes.nxDomain;
    if (nxdomain || chain.name === asked) {
      const detail = nxdomain ? `${chain.name} does not exist` : `${chain.name} has no ${question.type} record`;
      const ttlMs = Math.min(chain.ttlMs, negativeTtlMs(reply));
      return { kind: nxdomain ? 'nxdomain' : 'nodata', detail, ttlMs, secure };
    }
  }
}

/** Of more nobody makes use. */
const maxRecords = 200;

interface Chain {
  /** Where it has led so far. */
  name: string;
  seen: Set<string>;
  ttlMs: number;
}

/** Goes on from `chain.name` as far as the reply leads. Records of other names are passed over: nobody asked for them. */
function followCnames(chain: Chain, { answers }: DnsReply, wanted: string): string | undefined {
  for (;;) {
    const own = ofName(answers, chain.name);
    if (own.some(({ data }) => data.type === wanted)) return undefined;
    const cname = own.find(({ data }) => data.type === 'CNAME');
    if (cname?.data.type !== 'CNAME') return undefined;
    const target = normaliseName(cname.data.target);
    if (target === undefined) return `the CNAME of ${chain.name} leads to no host name`;
    if (chain.seen.has(target)) return `the CNAME of ${chain.name} leads back to ${target}`;
    if (chain.seen.size > maxCnames) return `more than ${maxCnames} CNAMEs`;
    chain.seen.add(target);
    chain.name = target;
    chain.ttlMs = Math.min(chain.ttlMs, ttlOf(cname));
  }
}

const ofName = (records: readonly ResourceRecord[], name: string): ResourceRecord[] =>
  records.filter((record) => record.name === name);

const ttlOf = ({ ttlSeconds }: ResourceRecord): number => ttlSeconds * 1000;

/** RFC 2308 §5: the lesser of the SOA's own TTL and its minimum; without a SOA it isn't kept. */
function negativeTtlMs({ authority }: DnsReply): number {
  for (const record of authority)
    if (record.data.type === 'SOA') return Math.min(ttlOf(record), record.data.minimumSeconds * 1000, maxNegativeTtlMs);
  return 0;
}
