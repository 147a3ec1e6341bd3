import { normaliseDomain } from '../mail/address/domain.ts';
import { parseAddress } from '../mail/address/mailbox-address.ts';
import { dayMs, durationMs, hostAndPort, inRange, list } from './read-values.ts';

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
  /** In place of WAYPOST_RETRY_SCHEDULE (and its first retry), WAYPOST_EXPIRE_AFTER and WAYPOST_DELAY_NOTICE_AFTER; absent: those. */
  retryScheduleMs?: readonly number[];
  expireAfterMs?: number;
  delayNoticeAfterMs?: number;
}

/** Plain text, STARTTLS where it is offered, TLS with any certificate, TLS with a valid certificate for the host's name. */
type RouteTls = (typeof routeTls)[number];

const routeTls = ['never', 'opportunistic', 'required', 'verified'] as const;
const routeSchemes = ['smtp', 'smtps', 'lmtp'] as const;

export const routesForm =
  'domain=smtp://[user:pass@]host:port, also smtps: and lmtp:, * for all, from:sender=… for mail of an address or domain; ' +
  'at the end ?tls=never, opportunistic, required or verified, retry=5m,30m, expire=1d, delayNotice=1h, joined by &; comma-separated';

/** A comma also stands within `retry`: a route begins where a subject and a scheme follow it. */
export function parseRoutes(value: string): readonly Route[] | undefined {
  const items = value === '' ? [] : value.split(/,(?=\s*[^=,]+=[a-z]+:\/\/)/);
  if (items.length > maxRoutes) return undefined;
  const routes = items.flatMap((item) => parseRoute(item.trim()) ?? []);
  return routes.length === items.length ? routes : undefined;
}

const maxRoutes = 1000;

function parseRoute(item: string): Route | undefined {
  const [, subject, scheme, target, options] =
    /^([^=]+)=(smtp|smtps|lmtp):\/\/(.+?)(?:\?([a-zA-Z]+=[^@]*))?$/.exec(item) ?? [];
  if (subject === undefined || target === undefined) return undefined;
  const at = target.lastIndexOf('@');
  const address = hostAndPort(target.slice(at + 1), { emptyHost: false });
  const user = at === -1 ? undefined : /^([^:]+):(.+)$/.exec(target.slice(0, at));
  const whose = parseSubject(subject);
  const named = routeSchemes.find((candidate) => candidate === scheme);
  const chosen = parseOptions(options);
  if (address === undefined || user === null || whose === undefined || named === undefined) return undefined;
  if (chosen === undefined) return undefined;
  // TLS from the first octet can't be left away.
  if (named === 'smtps' && (chosen.tls === 'never' || chosen.tls === 'opportunistic')) return undefined;
  const credentials = { username: decode(user?.[1]), password: decode(user?.[2]) };
  return { ...whose, scheme: named, ...address, ...credentials, ...chosen };
}

function parseSubject(text: string): { domain: string; sender: string | undefined } | undefined {
  const [, from] = /^from:(.+)$/.exec(text) ?? [];
  if (from !== undefined) {
    const sender = from.includes('@') ? parseAddress(from)?.key : normaliseDomain(from);
    return sender === undefined ? undefined : { domain: '*', sender };
  }
  const domain = text === '*' ? text : normaliseDomain(text);
  return domain === undefined ? undefined : { domain, sender: undefined };
}

type Options = Pick<Route, 'tls' | 'retryScheduleMs' | 'expireAfterMs' | 'delayNoticeAfterMs'>;

/** Each at most once; an unknown one is a mistake, not something to pass over. */
function parseOptions(text: string | undefined): Options | undefined {
  const options: Options = { tls: undefined };
  const seen = new Set<string>();
  for (const part of text?.split('&') ?? []) {
    const [, name = '', value = ''] = /^([a-zA-Z]+)=(.+)$/.exec(part) ?? [];
    const read = readOption(name, value);
    if (read === undefined || seen.has(name)) return undefined;
    seen.add(name);
    Object.assign(options, read);
  }
  return options;
}

/** The ranges are those of the settings that they stand in for. */
function readOption(name: string, value: string): Partial<Options> | undefined {
  if (name === 'tls') {
    const tls = routeTls.find((candidate) => candidate === value);
    return tls && { tls };
  }
  if (name === 'retry') {
    const retryScheduleMs = list(value, 100, (step) => inRange(durationMs(step), { min: 1000, max: 30 * dayMs }));
    return retryScheduleMs && { retryScheduleMs };
  }
  if (name === 'expire') {
    const expireAfterMs = inRange(durationMs(value), { min: 1000, max: 90 * dayMs });
    return expireAfterMs === undefined ? undefined : { expireAfterMs };
  }
  if (name === 'delayNotice') {
    const delayNoticeAfterMs = inRange(durationMs(value), { min: 1000, max: 30 * dayMs });
    return delayNoticeAfterMs === undefined ? undefined : { delayNoticeAfterMs };
  }
  return undefined;
}

function decode(part: string | undefined): string | undefined {
  try {
    return part === undefined ? undefined : decodeURIComponent(part);
  } catch {
    return part;
  }
}
