/** A policy as RFC 8461 §3.2 has it. */
export interface MtaStsPolicy {
  mode: 'enforce' | 'testing' | 'none';
  /** Lower-case names, `*.` for one label. Empty only with `none`. */
  mx: readonly string[];
  maxAgeMs: number;
}

/** RFC 8461 §3.2: about a year. */
const maxAgeSeconds = 31_557_600;
/** Nobody has more mail hosts; what is kept of a policy is bounded by this. */
const maxPatterns = 100;

/** Undefined when the text is no policy that is understood. Fields that aren't known are passed over; of one that comes twice the first counts. */
export function parsePolicy(text: string): MtaStsPolicy | undefined {
  const fields = new Map<string, string>();
  const mx: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    const [, name = '', value = ''] = /^([A-Za-z0-9][A-Za-z0-9_.-]{0,31})[ \t]*:[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === 'mx') mx.push(value.toLowerCase());
    else if (name !== '' && !fields.has(name)) fields.set(name, value);
  }
  const mode = modes.find((candidate) => candidate === fields.get('mode'));
  const age = fields.get('max_age') ?? '';
  if (fields.get('version') !== 'STSv1' || mode === undefined || !/^\d{1,10}$/.test(age)) return undefined;
  if (mx.length > maxPatterns || !mx.every((pattern) => patternForm.test(pattern))) return undefined;
  if (mode !== 'none' && mx.length === 0) return undefined;
  return { mode, mx, maxAgeMs: Math.min(Number(age), maxAgeSeconds) * 1000 };
}

/** RFC 8461 §4.1: a wildcard is the whole left-most label. `host` in lower case. */
export function matchesPolicy({ mx }: MtaStsPolicy, host: string): boolean {
  const dot = host.indexOf('.');
  return mx.some((pattern) =>
    pattern.startsWith('*.') ? dot > 0 && host.slice(dot) === pattern.slice(1) : host === pattern,
  );
}

/** The id in the TXT records of `_mta-sts.<domain>` (RFC 8461 §3.1); undefined when there isn't exactly one such record, or when it is wrong. */
export function policyId(records: readonly string[]): string | undefined {
  const ours = records.filter((record) => /^v=STSv1[ \t]*;/.test(record));
  if (ours.length !== 1) return undefined;
  const fields = ours[0]?.split(';').map((field) => field.trim()) ?? [];
  return fields.map((field) => /^id[ \t]*=[ \t]*([A-Za-z0-9]{1,32})$/.exec(field)?.[1]).find((id) => id !== undefined);
}

const modes = ['enforce', 'testing', 'none'] as const;
const patternForm = /^(?:\*\.)?(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,62})(?:\.[a-z0-9][a-z0-9-]{0,62})*$/;
