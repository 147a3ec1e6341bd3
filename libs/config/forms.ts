import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { isIP } from 'node:net';
import { parseLimitRules } from '../delivery/limits/limits.ts';
import { minPasswordLength, newPassword } from '../directory/password-policy.ts';
import { normaliseDomain } from '../mail/address/domain.ts';
import { parseAddress } from '../mail/address/mailbox-address.ts';

/** The forms that values of the environment have: each reads text, and says in words what it expects. */
export interface Form<T> {
  schema: z.ZodType<T, string>;
  expected: string;
}

export interface ListenAddress {
  /** '' is every address of the machine. */
  host: string;
  /** 0 is any free port. */
  port: number;
}

export interface Route {
  /** Of recipients: A-label domain in lower case, or `*`. */
  domain: string;
  /** Only mail of this sender: the key of an address, or an A-label domain; `domain` is `*` then. */
  sender: string | undefined;
  scheme: 'smtp' | 'smtps' | 'lmtp';
  host: string;
  port: number;
  username: string | undefined;
  password: string | undefined;
  /** Undefined: what the scheme and the login suggest. */
  tls: RouteTls | undefined;
}

/** Plain text, STARTTLS where it is offered, TLS with any certificate, TLS with a valid certificate for the host's name. */
export type RouteTls = (typeof routeTls)[number];

const routeTls = ['never', 'opportunistic', 'required', 'verified'] as const;

export const text = (expected: string, pattern = /^.{1,4096}$/s) =>
  form(expected, (value) => (pattern.test(value) ? value : undefined));

/** As it is, spaces around it too: who types it into a mail program types them. */
export const password = form(
  `${minPasswordLength} to 1024 characters, at most 1024 bytes in UTF-8`,
  (value) => (newPassword.safeParse(value).success ? value : undefined),
  { trim: false },
);

export const bool = form('true or false', (value) => ({ true: true, false: false })[value]);

export const oneOf = <const T extends string>(values: readonly T[]) =>
  form(`one of ${values.join(', ')}`, (value) => values.find((candidate) => candidate === value));

export const bytes = (range: { min: number; max: number }) =>
  form(`a number of bytes from ${range.min} to ${range.max}`, (value) =>
    inRange(/^\d{1,15}$/.test(value) ? Number(value) : undefined, range),
  );

/** Milliseconds. */
export const duration = (range: { min: string; max: string }) => {
  const limits = { min: durationMs(range.min) ?? 0, max: durationMs(range.max) ?? Number.POSITIVE_INFINITY };
  return form(`a duration from ${range.min} to ${range.max}, such as 500ms, 30s, 30m, 4h or 5d`, (value) =>
    inRange(durationMs(value), limits),
  );
};

/** Milliseconds each. */
export const schedule = form('durations from 1s to 30d, comma-separated, such as 5m,30m,2h', (value) =>
  value === '' ? undefined : list(value, 100, (item) => inRange(durationMs(item), { min: 1000, max: 30 * unitsMs.d })),
);

export const listen = form(
  'host:port, [IPv6]:port, :port (every address), or off',
  (value): ListenAddress | 'off' | undefined => (value === 'off' ? 'off' : hostAndPort(value, { emptyHost: true })),
);

export const networks = form('addresses or CIDR networks, comma-separated, such as 10.0.0.0/8,2001:db8::/32', (value) =>
  list(value, 1000, (item) => {
    const cidr = item.includes('/') ? item : `${item}/${isIP(item) === 6 ? 128 : 32}`;
    return ipaddr.isValidCIDR(cidr) && isIP(cidr.split('/')[0] ?? '') !== 0 ? cidr : undefined;
  }),
);

export const servers = form('host:port, comma-separated; without a port 53', (value) =>
  list(value, 16, (item) => {
    const whole = isIP(item) === 6 ? `[${item}]:53` : /:\d+$/.test(item) ? item : `${item}:53`;
    const address = hostAndPort(whole, { emptyHost: false });
    return address === undefined || isIP(address.host) === 0 ? undefined : address;
  }),
);

/** 32 octets each. An empty text is no way to say none: it would be an accident. */
export const secretKeys = form('32 octets in base64 (44 characters), several comma-separated', (value) =>
  value === '' ? undefined : list(value, 10, (item) => (/^[A-Za-z0-9+/]{43}=$/.test(item) ? item : undefined)),
);

export const hostName = form('a host name such as mail.example.org', (value) =>
  value.length <= 253 && /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(value)
    ? value.toLowerCase()
    : undefined,
);

export const url = (schemes: readonly string[]) =>
  form(`a URL with ${schemes.map((scheme) => `${scheme}:`).join(' or ')}`, (value) =>
    schemes.some((scheme) => value.startsWith(`${scheme}:`)) && /^\S{1,4096}$/.test(value) ? value : undefined,
  );

export const routes = form(
  'domain=smtp://[user:pass@]host:port, also smtps: and lmtp:, * for all, from:sender=… for mail of an address or domain, ' +
    'at the end ?tls=never, opportunistic, required or verified; comma-separated',
  (value) => list(value, 1000, route),
);

export const limits = form(
  'pattern=connections:1 to 1000,perConnection:from 1,perSecond:from 0 (no limit), each optional; several separated by `;`',
  parseLimitRules,
);

export function durationMs(value: string): number | undefined {
  const [, amount, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(value) ?? [];
  if (amount === undefined) return undefined;
  const unitMs = Object.entries(unitsMs).find(([name]) => name === unit)?.[1];
  return unitMs === undefined ? undefined : Number(amount) * unitMs;
}

const unitsMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `undefined` from `read` is "not of this form". */
function form<T>(expected: string, read: (value: string) => T | undefined, { trim = true } = {}): Form<T> {
  const schema = z.string().transform((value, context) => {
    const result = read(trim ? value.trim() : value);
    if (result !== undefined) return result;
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
  return { schema, expected };
}

function list<T>(value: string, most: number, read: (item: string) => T | undefined): readonly T[] | undefined {
  if (value === '') return [];
  const items = value.split(',').map((item) => item.trim());
  if (items.length > most) return undefined;
  const results: T[] = [];
  for (const item of items) {
    const result = read(item);
    if (result === undefined) return undefined;
    results.push(result);
  }
  return results;
}

function inRange(value: number | undefined, range: { min: number; max: number }): number | undefined {
  return value !== undefined && value >= range.min && value <= range.max ? value : undefined;
}

function hostAndPort(value: string, options: { emptyHost: boolean }): ListenAddress | undefined {
  const [, v6, name, port] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]*)):(\d{1,5})$/i.exec(value) ?? [];
  const host = v6 ?? name;
  if (host === undefined || port === undefined || Number(port) > 65_535) return undefined;
  if (v6 !== undefined && isIP(v6) !== 6) return undefined;
  if (host === '' && !options.emptyHost) return undefined;
  return { host, port: Number(port) };
}

function route(item: string): Route | undefined {
  const [, subject, scheme, target, tls] = /^([^=]+)=(smtp|smtps|lmtp):\/\/(.+?)(?:\?tls=([a-z]+))?$/.exec(item) ?? [];
  if (subject === undefined || target === undefined) return undefined;
  const at = target.lastIndexOf('@');
  const address = hostAndPort(target.slice(at + 1), { emptyHost: false });
  const user = at === -1 ? undefined : /^([^:]+):(.+)$/.exec(target.slice(0, at));
  const whose = routeSubject(subject);
  const named = routeSchemes.find((candidate) => candidate === scheme);
  const wantedTls = routeTls.find((candidate) => candidate === tls);
  if (address === undefined || user === null || whose === undefined || named === undefined) return undefined;
  // TLS from the first octet can't be left away.
  const refusedTls = named === 'smtps' && (wantedTls === 'never' || wantedTls === 'opportunistic');
  if ((tls !== undefined && wantedTls === undefined) || refusedTls) return undefined;
  const credentials = { username: decode(user?.[1]), password: decode(user?.[2]) };
  return { ...whose, scheme: named, ...address, ...credentials, tls: wantedTls };
}

function routeSubject(text: string): { domain: string; sender: string | undefined } | undefined {
  const [, from] = /^from:(.+)$/.exec(text) ?? [];
  if (from !== undefined) {
    const sender = from.includes('@') ? parseAddress(from)?.key : normaliseDomain(from);
    return sender === undefined ? undefined : { domain: '*', sender };
  }
  const domain = text === '*' ? text : normaliseDomain(text);
  return domain === undefined ? undefined : { domain, sender: undefined };
}

const routeSchemes = ['smtp', 'smtps', 'lmtp'] as const;

function decode(part: string | undefined): string | undefined {
  try {
    return part === undefined ? undefined : decodeURIComponent(part);
  } catch {
    return part;
  }
}
