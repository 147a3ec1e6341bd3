import type { Filter } from 'mongodb';
import { checkLimits, checkName, unusedGroup } from '../../group-rules.ts';
import type { DestinationStanding, Groups, GroupStanding, Named, NamesPage } from '../../ports/groups.ts';
import type { MongoDatabase } from '../database.ts';
import { asStoreErrors } from '../write-errors.ts';
import { purgeGroups } from './purge.ts';
import { changeDestinations, changeGroup, readable } from './change.ts';
import {
  type DestinationDocument,
  destinationStanding,
  type GroupDocument,
  groupStanding,
  hourOf,
  type StandingDocument,
  standingProjection,
} from './documents.ts';

/** What an operator sets and sees, and what is forgotten. */
export function mongoGroupSettings(
  database: MongoDatabase,
  graceMs: number,
): Omit<Groups, 'acquire' | 'renew' | 'release' | 'takeTokens' | 'report' | 'routed'> {
  const { groups, destinations, newer } = database;

  const readGroups = async (filter: Filter<GroupDocument>, limit: number): Promise<readonly GroupStanding[]> => {
    const rows = await newer.readAround<StandingDocument>('groups', (only) =>
      groups
        .find({ $and: [filter, only] }, { batchSize: limit + 1 })
        .project<StandingDocument>(standingProjection(graceMs))
        .sort({ _id: 1 })
        .limit(limit)
        .toArray(),
    );
    return rows.map(groupStanding);
  };

  const groupsNamed = async (names: readonly string[]): Promise<ReadonlyMap<string, GroupStanding>> => {
    if (names.length === 0) return new Map();
    const found = await readGroups({ _id: { $in: [...new Set(names)] } }, names.length);
    return new Map(found.map((standing) => [standing.group, standing]));
  };

  const readDestinations = async (
    filter: Filter<DestinationDocument>,
    limit: number,
  ): Promise<DestinationStanding[]> => {
    const rows = await newer.readAround<DestinationDocument>('destinations', (only) =>
      destinations
        .find({ $and: [filter, only] }, { batchSize: limit + 1 })
        .sort({ _id: 1 })
        .limit(limit)
        .toArray(),
    );
    const standings = await groupsNamed(rows.flatMap(({ group }) => (group === undefined ? [] : [group])));
    return rows.map((row) => {
      const group = row.group === undefined ? null : (standings.get(row.group) ?? unusedGroup(row.group));
      return destinationStanding(row, group);
    });
  };

  return {
    pause: (named, { actor, now }) =>
      asStoreErrors(true, async () => {
        checkName(nameOf(named), actor);
        const paused = { actor, at: now };
        if ('group' in named) {
          const stages = [{ $set: { paused: { $literal: paused } } }];
          await changeGroup(database, { group: named.group, now, stages, fields: [] });
          return;
        }
        await changeDestinations(database, new Map([[named.destination, { paused }]]), now);
      }),

    resume: (named, now) =>
      asStoreErrors(true, async () => {
        if ('destination' in named) {
          await destinations.updateOne({ _id: named.destination, ...readable }, { $unset: { paused: '' } });
          return;
        }
        const well = { misses: 0, failures: 0, pausedUntil: 0, usedAt: hourOf(now) };
        await groups.updateOne({ _id: named.group, ...readable }, { $set: well, $unset: { paused: '' } });
      }),

    setLimits: (group, limits, now) =>
      asStoreErrors(true, async () => {
        checkName(group);
        checkLimits(limits ?? {});
        const changed = Object.entries(limits ?? {}).filter(([, value]) => value !== undefined);
        const stage =
          limits === null
            ? { $unset: 'set' }
            : { $set: Object.fromEntries(changed.map(([name, value]) => [`set.${name}`, value ?? '$$REMOVE'])) };
        const stages = limits !== null && changed.length === 0 ? [] : [stage];
        await changeGroup(database, { group, now, stages, fields: [] });
      }),

    standing: (names) =>
      asStoreErrors(false, async () => {
        if (names.length === 0) return new Map();
        const found = await readDestinations({ _id: { $in: [...new Set(names)] } }, names.length);
        return new Map(found.map((standing) => [standing.destination, standing]));
      }),

    groups: (names) => asStoreErrors(false, () => groupsNamed(names)),
    list: (page) => asStoreErrors(false, () => readDestinations({ _id: within(page) }, page.limit)),
    listGroups: (page) => asStoreErrors(false, () => readGroups({ _id: within(page) }, page.limit)),

    purge: (query) => asStoreErrors(true, () => purgeGroups(database, { ...query, graceMs })),
  };
}

const nameOf = (named: Named): string => ('group' in named ? named.group : named.destination);

/** As the names' UTF-8 bytes: all that begin with the prefix are before it with the last code point added. */
const within = ({ prefix = '', cursor = '' }: NamesPage): { $gte: string; $gt: string; $lt: string } => ({
  $gte: prefix,
  $gt: cursor,
  $lt: `${prefix}\u{10ffff}`,
});
