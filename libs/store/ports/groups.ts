import type { HealthReport } from '../../delivery/limits/health.ts';
import type { Limits } from '../../delivery/limits/limits.ts';

/**
 * Limits of destinations over the whole cluster. A **group** is the registrable domain of an MX host, or `host:port` of a route: all destinations behind it
 * share its limits. A **destination** is a recipient's domain (or `local:n`); it can be paused on its own. What an implementer must keep:
 *
 * - The permits of a group never exceed min(its limit, what it takes well) at the moment that one is given, whoever asks and however many at once: `acquire`
 *   is one conditional update of the group's row. Permits that were given stay when a limit is lowered.
 * - A permit counts until it is released, or until the grace (60 s) after the end of its lease; then its place is free, and its holder finds it gone.
 *   Leases and the rate go by the store's clock; pauses and idleness by `now`, the Clock port.
 * - The id of a permit is never used again.
 * - Limits are the configured ones (`limitsFor`), as the caller has them; what an operator has set goes before them.
 *
 * Names are at most 300 bytes; longer ones are Refused (`longName`) where something would be kept.
 */
export interface Groups {
  /**
   * Up to `want` permits (at most 1,000), each for one connection. OutcomeUnknown: permits may have been given that nobody knows; they count until
   * the grace after their lease.
   */
  acquire(request: {
    group: string;
    holder: string;
    want: number;
    leaseMs: number;
    limits: Limits;
    now: number;
  }): Promise<Acquired>;

  /** Lengthens the leases of the holder's permits to `leaseMs` from now; a permit that isn't in the answer is lost. */
  renew(request: { holder: string; permits: readonly Permit[]; leaseMs: number }): Promise<readonly Permit[]>;

  /** At the confirmed close. In order: `gone` was released before, or its time was over and its place given to whoever asks. Repeating it is harmless. */
  release(permits: readonly Permit[]): Promise<readonly ('released' | 'gone')[]>;

  /** Up to `want` messages that may go now. Without a limit all of them, so nobody needs to ask where `perSecond` is 0 for certain. */
  takeTokens(request: { group: string; want: number; limits: Limits; now: number }): Promise<Tokens>;

  /** What happened at a group since the last report. */
  report(request: HealthReport & { group: string; limits: Limits; now: number }): Promise<HealthStanding>;

  /** Until `resume`: nothing is given; what is in use may go on. */
  pause(named: Named, by: { actor: string; now: number }): Promise<void>;
  /** Ends the pause; a group's own after failures too. */
  resume(named: Named, now: number): Promise<void>;
  /** Only the named ones change; null takes one (or all) back. @throws RangeError past limitRanges */
  setLimits(group: string, limits: SetLimits | null, now: number): Promise<void>;

  /** Which group each destination had last: told when it is routed. */
  routed(routes: readonly { destination: string; group: string }[], now: number): Promise<void>;

  /** Of destinations; those that nothing is known of are missing. */
  standing(destinations: readonly string[]): Promise<ReadonlyMap<string, DestinationStanding>>;
  groups(names: readonly string[]): Promise<ReadonlyMap<string, GroupStanding>>;
  /** Destinations by name (in the order of their UTF-8 bytes). `cursor` is the last name of the page before. */
  list(page: NamesPage): Promise<readonly DestinationStanding[]>;
  listGroups(page: NamesPage): Promise<readonly GroupStanding[]>;

  /** Forgets groups and destinations that nobody has used since `before`, that hold no permit and nothing that an operator set; returns how many. */
  purge(query: { before: number; limit: number }): Promise<number>;
}

export interface Permit {
  group: string;
  id: string;
}

export interface Acquired {
  permits: readonly Permit[];
  /** In effect now: with what an operator has set. */
  limits: Limits;
  /** Permits that count, these included. */
  inUse: number;
  /** How many may be in use now. */
  allowed: number;
  /** Why there were fewer than asked for; `retryInMs` of `resting`: when its pause ends. */
  short?: { why: 'full' | 'paused' } | { why: 'resting'; retryInMs: number };
}

export interface Tokens {
  got: number;
  /** Until there is another; 0 without a limit. */
  nextInMs: number;
}

/** A registrable domain may be the name of both. */
export type Named = { group: string } | { destination: string };

export type SetLimits = { readonly [name in keyof Limits]?: number | null };

export interface PausedBy {
  actor: string;
  /** Of the Clock port. */
  at: number;
}

export interface GroupStanding extends HealthStanding {
  group: string;
  inUse: number;
  /** By an operator. */
  paused: PausedBy | null;
  /** Set by an operator. */
  limits: Partial<Limits>;
}

export interface HealthStanding {
  /** Connections at a time that it takes well; the limits hold besides, and `resting`. */
  allowed: number;
  /** Its own pause after failures: when it ends (that may be past: then it is given one connection until the next success), and how many there were. */
  resting: { until: number; failures: number } | null;
}

export interface DestinationStanding {
  destination: string;
  /** The group that it had last. */
  group: GroupStanding | null;
  /** By an operator; its group may be paused besides. */
  paused: PausedBy | null;
}

export interface NamesPage {
  prefix?: string;
  limit: number;
  cursor?: string;
}
