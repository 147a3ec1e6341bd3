import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { withLock } from './lock.mjs';
import { runNpm } from './npm.mjs';
import { SetupError } from './setup-error.mjs';

/**
 * The Node that runs Waypost: the one that runs now when it is new enough, else the one that the npm package for this machine
 * holds, installed into .node/ from tools/node/package-lock.json.
 * @param {string} root
 * @param {(line: string) => void} say
 * @returns {Promise<string>}
 */
export async function findNode(root, say) {
  /** @type {{ engines: { node: string } }} */
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const minimum = minimumOf(engines.node);
  if (atLeast(process.versions.node, minimum)) return process.execPath;

  const folder = join(root, '.node');
  const binary = join(folder, 'node_modules', packageName(), 'bin', 'node');
  if (fits(binary, minimum)) return binary;
  await withLock(join(root, '.cache', 'setup-node.lock'), say, async () => {
    if (fits(binary, minimum)) return;
    say(`Node ${process.versions.node} runs here and Waypost needs ${minimum}: installing one of its own into .node/`);
    mkdirSync(folder, { recursive: true });
    for (const name of ['package.json', 'package-lock.json']) {
      copyFileSync(join(root, 'tools', 'node', name), join(folder, name));
    }
    await runNpm(process.execPath, folder, ['ci', '--include=optional', '--no-bin-links']);
  });
  if (fits(binary, minimum)) return binary;
  throw new SetupError(
    `no Node for ${process.platform}-${process.arch} could be installed (is the machine offline?). ` +
      `Install Node ${minimum} or newer and run the command again.`,
  );
}

/**
 * @param {string} range the form ">=24.15.0"
 * @returns {string}
 */
export function minimumOf(range) {
  const version = /^>=(\d+\.\d+\.\d+)$/.exec(range)?.[1];
  if (version === undefined)
    throw new SetupError(`package.json: engines.node must have the form ">=24.15.0", not "${range}"`);
  return version;
}

/**
 * @param {string} version
 * @param {string} minimum
 * @returns {boolean}
 */
export function atLeast(version, minimum) {
  const have = version.replace(/^v/, '').split('.').map(Number);
  const need = minimum.split('.').map(Number);
  for (let i = 0; i < need.length; i++) {
    const difference = (have[i] ?? 0) - (need[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

function packageName() {
  return `node-${process.platform}-${process.arch}`;
}

/**
 * @param {string} binary
 * @param {string} minimum
 */
function fits(binary, minimum) {
  const manifest = join(binary, '..', '..', 'package.json');
  if (!existsSync(binary) || !existsSync(manifest)) return false;
  // npm writes its own record of the tree last, so a half-finished install is never taken for a whole one.
  if (!existsSync(join(binary, '..', '..', '..', '.package-lock.json'))) return false;
  /** @type {{ version: string }} */
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
  return atLeast(version, minimum);
}
