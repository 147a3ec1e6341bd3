/** What the server says, as data: names (lower case, no last dot; `*` for all others) to types to what is said. */
export type Zones = Readonly<Record<string, Readonly<Partial<Record<RecordType, Entry>>>>>;

export const recordTypes = ['A', 'AAAA', 'MX', 'TXT', 'TLSA', 'CNAME'] as const;
export type RecordType = (typeof recordTypes)[number];

/**
 * Records as zone files have them: `10 mx.example.test`, `192.0.2.1`, the text itself, `3 1 1 0af2…`, `target.example.test`; `0 .` is the null MX.
 * A fault alone is that and no record.
 */
export type Entry = readonly string[] | Fault | Answering;

export interface Answering {
  records?: readonly string[];
  /** Default 300. */
  ttlSeconds?: number;
  /** AD is set for those who ask for it; default what `startDns` was told. A reply has it when all in it has it. */
  authentic?: boolean;
  /** Before the reply, ms. */
  delayMs?: number;
  fault?: Fault;
}

/**
 * - `servfail`, `refused`, `nxdomain`: the response code.
 * - `noEdns`: FORMERR to a query with EDNS, else the records.
 * - `drop`: no reply, by UDP or TCP.
 * - `truncated`: TC by UDP, the records by TCP. `alwaysTruncated`: by TCP too.
 * - `wrongId`, `wrongQuestion`: the reply to something else, and nothing more. `guesses`: 20 wrong ids before the right one.
 * - `garbage`: the right id, then noise. `cutOff`: the first half of the reply.
 */
export type Fault =
  | 'servfail'
  | 'refused'
  | 'nxdomain'
  | 'noEdns'
  | 'drop'
  | 'truncated'
  | 'alwaysTruncated'
  | 'wrongId'
  | 'wrongQuestion'
  | 'guesses'
  | 'garbage'
  | 'cutOff';

export interface Said {
  /** Owner and records in the order of the CNAMEs. */
  answers: { name: string; type: RecordType; value: string; ttlSeconds: number }[];
  exists: boolean;
  authentic: boolean;
  delayMs: number;
  fault: Fault | undefined;
}

type Table = ReadonlyMap<string, ReadonlyMap<RecordType, Entry>>;

/** What is said to a question, CNAMEs followed within the zones (`chase`), a loop once around. */
export function answerTo(
  table: Table,
  question: { name: string; type: string },
  options: { authentic: boolean; chase: boolean },
): Said {
  const said: Said = { answers: [], exists: false, authentic: true, delayMs: 0, fault: undefined };
  const seen = new Set<string>();
  for (let name = question.name; !seen.has(name); ) {
    seen.add(name);
    const types = table.get(name) ?? table.get('*');
    said.exists = types !== undefined || hasNamesBelow(table, name);
    const wanted = recordTypes.find((type) => type === question.type);
    const type: RecordType | undefined = wanted !== undefined && types?.has(wanted) ? wanted : 'CNAME';
    const entry = types?.get(type);
    const answering = entry === undefined ? {} : asAnswering(entry);
    said.authentic &&= answering.authentic ?? options.authentic;
    said.delayMs += answering.delayMs ?? 0;
    said.fault ??= answering.fault;
    const { records = [], ttlSeconds = 300 } = answering;
    said.answers.push(...records.map((value) => ({ name, type, value, ttlSeconds })));
    if (type !== 'CNAME' || question.type === 'CNAME' || records[0] === undefined || !options.chase) break;
    name = records[0];
  }
  return said;
}

function asAnswering(entry: Entry): Answering {
  if (typeof entry === 'string') return { fault: entry };
  return 'length' in entry ? { records: entry } : entry;
}

/** RFC 8020: a name with names below it exists. */
function hasNamesBelow(table: Table, name: string): boolean {
  return [...table.keys()].some((other) => other.endsWith(`.${name}`));
}
