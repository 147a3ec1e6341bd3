import type { Collection, Db, Document } from 'mongodb';
import { startAllowed } from '../../../delivery/limits/health.ts';
import { givenLimits } from '../../group-rules.ts';
import type { DestinationStanding, GroupStanding, HealthStanding, PausedBy, SetLimits } from '../../ports/groups.ts';

/**
 * The one row of an MX group. Permits are given, lengthened and returned by conditional updates of it, so the limit holds whoever asks. `allowed` to `okAt` are
 * GroupHealth (libs/delivery/limits/health.ts); fields that are missing are as for a group that nobody has used.
 */
export interface GroupDocument {
  /** Its name. */
  _id: string;
  v: number;
  /** At most 1,000. Each acquisition takes out those that don't count any more. */
  permits?: readonly PermitEntry[];
  /** What the last acquisition got and saw: read back by its caller in the same step. */
  grant?: Grant;
  /** ms since 1970 by the server's clock, with fractions (libs/delivery/limits/bucket.ts). */
  spentAt?: number;
  /** What the last taking of tokens got; null: there was no limit. */
  taken?: { got: number; nextInMs: number } | null;
  allowed?: number;
  misses?: number;
  failures?: number;
  pausedUntil?: number;
  okAt?: number;
  /** By an operator. */
  set?: SetLimits;
  paused?: PausedBy;
  /** By the hour, of the Clock port. */
  usedAt: number;
}

interface PermitEntry {
  id: string;
  holder: string;
  /** End of its lease, by the server's clock. */
  until: Date;
}

interface Grant {
  call: string;
  got: number;
  inUse: number;
  limit: number;
  allowed: number;
}

/** A destination that was routed or paused. */
export interface DestinationDocument {
  /** Its name. */
  _id: string;
  v: number;
  group?: string;
  paused?: PausedBy;
  /** By the hour, of the Clock port. */
  seenAt: number;
}

export interface GroupCollections {
  groups: Collection<GroupDocument>;
  destinations: Collection<DestinationDocument>;
}

export const groupCollections = (db: Db): GroupCollections => ({
  groups: db.collection('groups'),
  destinations: db.collection('destinations'),
});

/** Most uses then change nothing for it. */
export const hourOf = (now: number): number => now - (now % 3_600_000);

/** In pipelines: permits that count. */
export const countingPermits = (graceMs: number): Document => ({
  $filter: {
    input: { $ifNull: ['$permits', []] },
    as: 'permit',
    cond: { $gt: ['$$permit.until', { $subtract: ['$$NOW', graceMs] }] },
  },
});

/** What `groupStanding` needs. */
export const standingProjection = (graceMs: number): Document => ({
  v: 1,
  allowed: 1,
  failures: 1,
  pausedUntil: 1,
  paused: 1,
  set: 1,
  inUse: { $size: countingPermits(graceMs) },
});

export type StandingDocument = Pick<
  GroupDocument,
  '_id' | 'v' | 'allowed' | 'failures' | 'pausedUntil' | 'paused' | 'set'
> & {
  inUse: number;
};

export function groupStanding({ _id: group, inUse, paused, set = {}, ...health }: StandingDocument): GroupStanding {
  return { group, inUse, ...healthStanding(health), paused: pausedBy(paused), limits: givenLimits(set) };
}

export const healthStanding = ({
  allowed = startAllowed,
  failures = 0,
  pausedUntil = 0,
}: Pick<GroupDocument, 'allowed' | 'failures' | 'pausedUntil'>): HealthStanding => ({
  allowed: Math.floor(allowed),
  resting: failures === 0 ? null : { until: pausedUntil, failures },
});

export const destinationStanding = (
  { _id: destination, paused }: DestinationDocument,
  group: GroupStanding | null,
): DestinationStanding => ({ destination, group, paused: pausedBy(paused) });

const pausedBy = (paused: PausedBy | undefined): PausedBy | null =>
  paused === undefined ? null : { actor: paused.actor, at: paused.at };
