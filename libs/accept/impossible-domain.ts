import type { Config } from '../config/load.ts';

/** What the operator has said of destinations. */
export interface DestinationRules {
  routes: readonly Pick<Config['routes'][number], 'domain'>[];
  allowAddressLiterals: boolean;
}

/**
 * Why mail to this domain can't ever be delivered, in words for its sender; undefined when it may be. What the name servers would have to be asked for isn't
 * looked at: that is known once the message is queued.
 */
export function impossibleDomain(
  domain: string,
  { routes, allowAddressLiterals }: DestinationRules,
): string | undefined {
  // An operator's route is followed before anything is looked up, whatever the name is.
  if (routes.some((route) => route.domain === domain)) return undefined;
  // RFC 5321 §4.1.3: for hosts that have no name yet; off by default, since nobody's reputation stands behind a number.
  if (domain.startsWith('['))
    return allowAddressLiterals ? undefined : 'Mail to address literals is not sent from here';
  if (!domain.includes('.')) return `There is no domain ${domain}: the name has no dot`;
  const last = domain.slice(domain.lastIndexOf('.') + 1);
  return deadDomains.has(last) ? `There is no domain ${domain}: nothing under .${last} takes mail` : undefined;
}

/** RFC 6761 §6.3, §6.4; RFC 7686 §2. */
const deadDomains: ReadonlySet<string> = new Set(['invalid', 'localhost', 'onion']);
