// Who may import whom. `node tools/boundaries.ts` checks the whole tree.
import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { projectRoot, reportProblems, sourceFiles } from './source-files.ts';

export interface ImportStatement {
  /** What stands between the quotes. */
  specifier: string;
  /** types: erased before the code runs; lazy: import(…); static: loaded with the file. */
  kind: 'static' | 'types' | 'lazy';
}

/** What is wrong with the imports of one file, one line each. `path` is from the clone's folder, with forward slashes. */
export function boundaryProblems(path: string, source: string): string[] {
  return importsOf(source).flatMap((statement) => {
    const { specifier, kind } = statement;
    const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : specifier;
    const broken = rules.find((rule) => rule.forbids(path, target, kind));
    return broken === undefined ? [] : [`${path}: imports ${specifier}: ${broken.says}`];
  });
}

/** The imports of a source, in order. Works on text: comments and strings that look like a whole import would count. */
export function importsOf(source: string): ImportStatement[] {
  const statements = source.matchAll(/^[ \t]*(import|export)\s([^;'"()]*?from\s*)?['"]([^'"\n]+)['"]/gm);
  const calls = source.matchAll(/\bimport\(\s*['"]([^'"\n]+)['"]/g);
  return [
    ...[...statements].map(([, , clause = '', specifier = '']): ImportStatement => {
      return { specifier, kind: /^type\s/.test(clause) ? 'types' : 'static' };
    }),
    ...[...calls].map(([, specifier = '']): ImportStatement => ({ specifier, kind: 'lazy' })),
  ];
}

interface Rule {
  says: string;
  forbids(from: string, to: string, kind: ImportStatement['kind']): boolean;
}

const rules: Rule[] = [
  {
    says: 'libs never import services',
    forbids: (from, to) => from.startsWith('libs/') && to.startsWith('services/'),
  },
  {
    says: 'a service never imports another service; services/all.ts, services/main.ts and services/compose compose them',
    forbids: (from, to) => {
      if (serviceOf(from) !== undefined && to.startsWith('services/compose/')) return true;
      const [mine, theirs] = [serviceOf(from), serviceOf(to)];
      return mine !== undefined && theirs !== undefined && mine !== theirs;
    },
  },
  {
    says: 'services and libs import neither tests nor tools',
    forbids: (from, to) => isProduct(from) && /^(tests|tools)\//.test(to),
  },
  {
    says: 'only libs/store/sqlite speaks to SQLite',
    forbids: (from, to) => isProduct(from) && to === 'node:sqlite' && !from.startsWith('libs/store/sqlite/'),
  },
  {
    says: 'only libs/store/mongo speaks to MongoDB',
    forbids: (from, to) => isProduct(from) && to === 'mongodb' && !from.startsWith('libs/store/mongo/'),
  },
  {
    says: 'only libs/blobs/s3 speaks to S3',
    forbids: (from, to) => isProduct(from) && to === 's3mini' && !from.startsWith('libs/blobs/s3/'),
  },
  {
    says: 'only libs/bus/nats speaks to NATS',
    forbids: (from, to) => isProduct(from) && to.startsWith('@nats-io/') && !from.startsWith('libs/bus/nats/'),
  },
  {
    says: 'embedded mode must not load it: use `await import(…)` where it is composed, or `import type`',
    forbids: (from, to, kind) => {
      const adapter = /^libs\/(store\/mongo|bus\/nats|blobs\/s3)\//.exec(to)?.[0];
      return isProduct(from) && kind === 'static' && adapter !== undefined && !from.startsWith(adapter);
    },
  },
];

/** The service a path belongs to; services/all.ts and services/compose belong to none. */
function serviceOf(path: string): string | undefined {
  return /^services\/(?!compose\/)([^/]+)\//.exec(path)?.[1];
}

/** Runs in production: not the unit tests beside it. */
function isProduct(path: string): boolean {
  return /^(libs|services)\//.test(path) && !path.endsWith('.test.ts');
}

if (import.meta.main) {
  const files = sourceFiles(/^(libs|services)\/.*\.(ts|js|mjs)$/);
  reportProblems(files.flatMap((path) => boundaryProblems(path, readFileSync(join(projectRoot, path), 'utf8'))));
}
