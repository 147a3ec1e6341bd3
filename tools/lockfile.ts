// package-lock.json for all machines: `node tools/lockfile.ts` after each change of a dependency, `--check` in `npm run check`.
// npm leaves out the binary packages for other machines that its registry doesn't have, and `npm ci` then refuses the lockfile as
// incomplete. This adds them by name, version and machine. It also refuses addresses of a registry: each machine has its own.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface LockedPackage {
  version?: string;
  resolved?: string;
  integrity?: string;
  optionalDependencies?: Record<string, string>;
  [field: string]: unknown;
}

export interface Lockfile {
  packages: Record<string, LockedPackage>;
  [field: string]: unknown;
}

/** What is wrong with a lockfile, one line each. */
export function lockfileProblems(lock: Lockfile): string[] {
  const addresses = Object.entries(lock.packages)
    .filter(([, entry]) => entry.resolved !== undefined)
    .map(([path]) => `${path}: holds the address it was fetched from; install with the project's .npmrc`);
  const missing = missingOptional(lock).map(
    ([name, version]) => `${name}@${version} is missing; run node tools/lockfile.ts`,
  );
  return [...addresses, ...missing];
}

/** The same lockfile with an entry for each binary package that npm left out. */
export function completeLockfile(lock: Lockfile): Lockfile {
  const added = missingOptional(lock).map(([name, version, dev]): [string, LockedPackage] => [
    `node_modules/${name}`,
    entryOf(name, version, dev),
  ]);
  const packages = Object.entries({ ...lock.packages, ...Object.fromEntries(added) });
  return { ...lock, packages: Object.fromEntries(packages.toSorted(([a], [b]) => a.localeCompare(b, 'en'))) };
}

function missingOptional(lock: Lockfile): [name: string, version: string, dev: boolean][] {
  return Object.values(lock.packages).flatMap(({ dev, optionalDependencies = {} }) =>
    Object.entries(optionalDependencies)
      .filter(([name, version]) => !(`node_modules/${name}` in lock.packages) && /^\d/.test(version))
      .map(([name, version]): [string, string, boolean] => [name, version, dev === true]),
  );
}

// In the order of npm's own entries, so that npm finds nothing to rewrite.
function entryOf(name: string, version: string, dev: boolean): LockedPackage {
  const match =
    /(aix|android|darwin|freebsd|linux|openharmony|win32)-(arm64|arm|ia32|ppc64|riscv64|s390x|x64)(-musl)?/.exec(name);
  const [, os, cpu, musl] = match ?? [];
  return {
    version,
    ...(cpu === undefined ? {} : { cpu: [cpu] }),
    ...(dev ? { dev } : {}),
    ...(musl === undefined ? {} : { libc: ['musl'] }),
    optional: true,
    ...(os === undefined ? {} : { os: [os] }),
  };
}

if (import.meta.main) {
  const paths = ['../package-lock.json', './node/package-lock.json'].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  for (const path of paths) {
    // The file is npm's own and nothing but its form is relied on.
    const lock: Lockfile = JSON.parse(readFileSync(path, 'utf8'));
    if (!process.argv.includes('--check')) writeFileSync(path, `${JSON.stringify(completeLockfile(lock), null, 2)}\n`);
    else for (const problem of lockfileProblems(lock)) fail(`${path}: ${problem}`);
  }
}

function fail(line: string): void {
  process.stdout.write(`${line}\n`);
  process.exitCode = 1;
}
