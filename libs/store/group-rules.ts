import { startAllowed } from '../delivery/limits/health.ts';
import { isLimit, type Limits, limitRanges, maxConnections } from '../delivery/limits/limits.ts';
import { Refused } from './errors.ts';
import type { GroupStanding, SetLimits } from './ports/groups.ts';

const limitNames = ['connections', 'perConnection', 'perSecond'] as const satisfies readonly (keyof Limits)[];

/** Longer than any domain with a port; MongoDB and SQLite take all of it as a key. */
const maxNameBytes = 300;

/** @throws Refused (`longName`) */
export function checkName(...names: readonly string[]): void {
  for (const name of names) {
    if (name !== '' && Buffer.byteLength(name) <= maxNameBytes) continue;
    throw new Refused('longName', `a name has 1 to ${maxNameBytes} bytes`);
  }
}

/** Those that are set. */
export function givenLimits(set: SetLimits): Partial<Limits> {
  const limits: Partial<Limits> = {};
  for (const name of limitNames) {
    const value = set[name];
    if (typeof value === 'number') limits[name] = value;
  }
  return limits;
}

/** @throws RangeError */
export function checkLimits(limits: SetLimits): void {
  for (const name of limitNames) {
    const value = limits[name];
    if (value === undefined || value === null || isLimit(name, value)) continue;
    const { min, max } = limitRanges[name];
    throw new RangeError(`${name} is a whole number from ${min} to ${max}`);
  }
}

/** As many as one request may ask for. */
export const boundedWant = (want: number): number => Math.max(0, Math.min(Math.floor(want), maxConnections));

/** One that nobody has used yet, or not for a day. */
export const unusedGroup = (group: string): GroupStanding => ({
  group,
  inUse: 0,
  allowed: startAllowed,
  resting: null,
  paused: null,
  limits: {},
});

/** How long a permit counts after the end of its lease: by then a holder that lost its store has closed its sockets long since. */
export const permitGraceMs = 60_000;

/** For tests. */
export interface GroupsOptions {
  /** Default 60 s. */
  permitGraceMs?: number;
  /** In [0, 1): jitter of pauses. */
  random?: () => number;
}
