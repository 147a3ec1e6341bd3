import { isIP } from 'node:net';
import { z } from 'zod';
import { impossibleDomain } from '../../../libs/accept/impossible-domain.ts';
import type { Config } from '../../../libs/config/load.ts';
import { localDestination } from '../../../libs/delivery/partition.ts';
import type { Readdressed } from '../../../libs/delivery/row.ts';
import type { Steer } from '../../../libs/delivery/wish.ts';
import { resolveAddresses } from '../../../libs/directory/resolve.ts';
import { problem } from '../../../libs/http/problem.ts';
import { normaliseDomain } from '../../../libs/mail/address/domain.ts';
import { parseAddress } from '../../../libs/mail/address/mailbox-address.ts';
import { routeName } from '../../../libs/routing/operator-route.ts';
import type { Directory } from '../../../libs/store/ports/directory.ts';

export interface SteerDeps {
  directory: Pick<Directory, 'lookup' | 'administrators'>;
  config: Pick<Config, 'domain' | 'hostname' | 'routes' | 'allowAddressLiterals'>;
}

const host = z
  .string()
  .max(255)
  .transform((text) => (isIP(text) === 0 ? normaliseDomain(text) : text))
  .pipe(z.string({ error: 'a host name or an IP address' }));

/** What the sender's report quotes. */
const text = z
  .string()
  .trim()
  .min(1)
  .max(400)
  .regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u, 'one line');

/** What each action takes besides its name. */
export const actionFields = {
  hold: {},
  release: {},
  retry: {},
  cancel: {},
  bounce: { text: text.default('Refused by an administrator') },
  reroute: {
    route: z
      .string()
      .max(320)
      .nullish()
      .meta({ description: 'a route of WAYPOST_ROUTES: its domain, `from:…`, or `*`' }),
    host: host
      .optional()
      .meta({ description: 'a host in place of a route; null for `route` and no host: as the domain says' }),
    port: z.int().min(1).max(65_535).optional().meta({ description: 'of the host; 25' }),
  },
  recipient: { recipient: z.string().min(3).max(320) },
} as const;

export type Wanted =
  | { action: 'hold' | 'release' | 'retry' | 'cancel' }
  | { action: 'bounce'; text: string }
  | { action: 'reroute'; route?: string | null | undefined; host?: string | undefined; port?: number | undefined }
  | { action: 'recipient'; recipient: string };

/** The action with what it takes looked up. @throws Problem where that isn't there, or can't be. */
export async function steerOf(wanted: Wanted, deps: SteerDeps): Promise<Steer> {
  switch (wanted.action) {
    case 'bounce':
      return { action: 'bounce', reply: /^[45]\d\d /.test(wanted.text) ? wanted.text : `550 5.7.1 ${wanted.text}` };
    case 'reroute':
      return { action: 'reroute', via: viaOf(wanted, deps) };
    case 'recipient':
      return { action: 'recipient', to: await readdressed(wanted.recipient, deps) };
    default:
      return { action: wanted.action };
  }
}

function viaOf({ route, host: name, port }: Extract<Wanted, { action: 'reroute' }>, { config }: SteerDeps) {
  if (name !== undefined) {
    if (typeof route === 'string') throw problem('invalidRequest', 'a route or a host, not both');
    return { host: name, port: port ?? 25 };
  }
  if (route === undefined || port !== undefined) throw problem('invalidRequest', 'a route or a host is missing');
  if (route !== null && !config.routes.some((known) => routeName(known) === route))
    throw problem('conflict', `there is no route ${route} in WAYPOST_ROUTES`);
  return route === null ? null : { route };
}

/** One mailbox here, or an address elsewhere. */
async function readdressed(recipient: string, { directory, config }: SteerDeps): Promise<Readdressed> {
  if (parseAddress(recipient) === undefined) throw problem('invalidRequest', `${recipient} is not an address`);
  const [resolution] = await resolveAddresses([recipient], { directory, host: config });
  if (resolution?.kind === 'remote') {
    const impossible = impossibleDomain(resolution.domain, config);
    if (impossible !== undefined) throw problem('conflict', impossible);
    return { recipient, kind: 'remote', destination: resolution.domain };
  }
  if (resolution?.kind !== 'local') throw problem('conflict', `there is no mailbox ${recipient} here`);
  const [target, ...others] = resolution.targets;
  // A delivery is of one recipient; what an alias leads to is decided when a message is accepted.
  if (target === undefined || others.length > 0 || (resolution.outside ?? []).length > 0)
    throw problem('conflict', `${recipient} is an alias of several or for outside: name one of its targets`);
  const { accountId } = target;
  return { recipient, kind: 'inbox', accountId, destination: localDestination(accountId) };
}

/** For the audit: what the action takes, in words. */
export function detailsOf(wanted: Wanted): string | undefined {
  if (wanted.action === 'bounce') return wanted.text;
  if (wanted.action === 'recipient') return wanted.recipient;
  if (wanted.action !== 'reroute') return undefined;
  if (wanted.host !== undefined) return `${wanted.host}:${wanted.port ?? 25}`;
  return wanted.route === null ? 'as the domain says' : `route ${wanted.route}`;
}
