import { newId } from '../../runtime/ids.ts';
import { boundedWant, checkLimits, checkName, type GroupsOptions, permitGraceMs } from '../group-rules.ts';
import type { Groups, Named } from '../ports/groups.ts';
import type { Engine } from './engine/engine.ts';

/** Limits of destinations in SQLite: one process, but the same rows and rules as in a cluster. */
export function sqliteGroups(engine: Engine, options: GroupsOptions = {}): Groups {
  const graceMs = options.permitGraceMs ?? permitGraceMs;
  const random = options.random ?? Math.random;
  return {
    acquire: async ({ want, ...request }) => {
      checkName(request.group, request.holder);
      const ids = Array.from({ length: boundedWant(want) }, newId);
      return engine.write('groups.acquire', { ...request, ids, graceMs }, ids.length * bytesPerId);
    },
    renew: (request) => engine.write('groups.renew', { ...request, graceMs }, request.permits.length * bytesPerId),
    release: (permits) => engine.write('groups.release', { permits }, permits.length * bytesPerId),
    takeTokens: async ({ want, ...request }) => {
      checkName(request.group);
      return engine.write('groups.takeTokens', { ...request, want: Math.max(0, Math.floor(want)) });
    },
    report: async (request) => {
      checkName(request.group);
      return engine.write('groups.report', { ...request, jitter: random() });
    },
    pause: async (named, by) => {
      checkName(nameOf(named), by.actor);
      return engine.write('groups.pause', { named, by });
    },
    resume: (named, now) => engine.write('groups.resume', { named, now }),
    setLimits: async (group, limits, now) => {
      checkName(group);
      checkLimits(limits ?? {});
      return engine.write('groups.setLimits', { group, limits, now });
    },
    routed: async (routes, now) => {
      checkName(...routes.flatMap(({ destination, group }) => [destination, group]));
      return engine.write('groups.routed', { routes, now }, routes.length * bytesPerId);
    },
    standing: async (names) => {
      const rows = await engine.read('groups.standing', { names, graceMs });
      return new Map(rows.map((row) => [row.destination, row]));
    },
    groups: async (names) => {
      const rows = await engine.read('groups.groups', { names, graceMs });
      return new Map(rows.map((row) => [row.group, row]));
    },
    list: (page) => engine.read('groups.list', { page, graceMs }),
    listGroups: (page) => engine.read('groups.listGroups', { page, graceMs }),
    purge: (query) => engine.write('groups.purge', { ...query, graceMs }),
  };
}

const nameOf = (named: Named): string => ('group' in named ? named.group : named.destination);

const bytesPerId = 64;
