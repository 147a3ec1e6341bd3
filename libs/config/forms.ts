import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import { isIP } from 'node:net';
import { parseLimitRules } from '../delivery/limits/limits.ts';
import { minPasswordLength, newPassword } from '../directory/password-policy.ts';
import { parseRoutes, routesForm } from './route-form.ts';
import { dayMs, durationMs, hostAndPort, inRange, type ListenAddress, list } from './read-values.ts';

export type { Route } from './route-form.ts';
export { durationMs, type ListenAddress } from './read-values.ts';

/** The forms that values of the environment have: each reads text, and says in words what it expects. */
export interface Form<T> {
  schema: z.ZodType<T, string>;
  expected: string;
}

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
  value === '' ? undefined : list(value, 100, (item) => inRange(durationMs(item), { min: 1000, max: 30 * dayMs })),
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

export const routes = form(routesForm, parseRoutes);

export const limits = form(
  'pattern=connections:1 to 1000,perConnection:from 1,perSecond:from 0 (no limit), each optional; several separated by `;`',
  parseLimitRules,
);

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
