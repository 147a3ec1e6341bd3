/** What may be asked of one MX group by the whole cluster. */
export interface Limits {
  /** Connections at a time, 1 to `maxConnections`. */
  connections: number;
  /** Messages for a connection, from 1. */
  perConnection: number;
  /** Messages for a second; 0: no limit. At most one second's worth goes at once (bucket.ts). */
  perSecond: number;
}

/** Limits of the groups that a pattern fits; what it doesn't name is left to patterns that fit less closely. */
export interface LimitRule extends Partial<Limits> {
  /** Lower case: `google.com` or `10.0.0.1:2525` (a group), `mx.example` (a route's host with any port), `*.example` (what ends so), `*`. */
  pattern: string;
}

export const defaultLimits: Limits = { connections: 20, perConnection: 100, perSecond: 0 };

/** A permit for each is in the group's row. */
export const maxConnections = 1_000;
const maxCount = 1_000_000;

/** What each limit may be; both ends included. */
export const limitRanges: Readonly<Record<keyof Limits, { min: number; max: number }>> = {
  connections: { min: 1, max: maxConnections },
  perConnection: { min: 1, max: maxCount },
  perSecond: { min: 0, max: maxCount },
};

/** The configured limits of a group, each from the rule that fits closest; of rules with one pattern the last. */
export function limitsFor(group: string, rules: readonly LimitRule[]): Limits {
  const fitting = rules
    .map((rule) => ({ rule, closeness: closeness(group.toLowerCase(), rule.pattern) }))
    .filter((each) => each.closeness >= 0)
    .toSorted((a, b) => a.closeness - b.closeness);
  return fitting.reduce((limits, { rule }) => withSet(limits, rule), defaultLimits);
}

/** What an operator has set goes before what is configured. */
export function withSet(limits: Limits, set: { readonly [name in keyof Limits]?: number | null | undefined }): Limits {
  return {
    connections: set.connections ?? limits.connections,
    perConnection: set.perConnection ?? limits.perConnection,
    perSecond: set.perSecond ?? limits.perSecond,
  };
}

/** Negative: the pattern doesn't fit. */
function closeness(group: string, pattern: string): number {
  if (pattern === group) return exact + 1;
  if (pattern === group.replace(/:\d+$/, '')) return exact;
  if (pattern === '*') return 0;
  return pattern.startsWith('*.') && group.replace(/:\d+$/, '').endsWith(pattern.slice(1)) ? pattern.length : -1;
}

const exact = 1_000;

/**
 * `pattern=limit:number,limit:number;pattern=…`, as WAYPOST_LIMITS has it; undefined when it isn't of this form.
 * At most 1,000 rules.
 */
export function parseLimitRules(text: string): readonly LimitRule[] | undefined {
  const items = text
    .split(';')
    .map((item) => item.trim())
    .filter((item) => item !== '');
  if (items.length > 1_000) return undefined;
  const rules: LimitRule[] = [];
  for (const item of items) {
    const rule = parseRule(item);
    if (rule === undefined) return undefined;
    rules.push(rule);
  }
  return rules;
}

function parseRule(item: string): LimitRule | undefined {
  const [, pattern, values] =
    /^(\*|(?:\*\.)?[a-z0-9._-]{1,253}(?::\d{1,5})?|\[[0-9a-f:.]{2,45}\](?::\d{1,5})?)=(.+)$/i.exec(item) ?? [];
  if (pattern === undefined || values === undefined) return undefined;
  const rule: LimitRule = { pattern: pattern.toLowerCase() };
  for (const value of values.split(',')) {
    const [, given, digits] = /^\s*([a-z]+)\s*:\s*(\d{1,7})\s*$/i.exec(value) ?? [];
    const name = limitNames.find((candidate) => candidate === given);
    if (name === undefined || rule[name] !== undefined || !isLimit(name, Number(digits))) return undefined;
    rule[name] = Number(digits);
  }
  return rule;
}

const limitNames = ['connections', 'perConnection', 'perSecond'] as const;

/** Whether that limit may be this number. */
export const isLimit = (name: keyof Limits, value: number): boolean =>
  Number.isInteger(value) && value >= limitRanges[name].min && value <= limitRanges[name].max;
