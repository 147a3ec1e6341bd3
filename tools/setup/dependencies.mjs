import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileCache } from './compile-cache.mjs';
import { withLock } from './lock.mjs';
import { runNpm } from './npm.mjs';

/**
 * Runs `npm ci` when node_modules is missing or was not made from today's package-lock.json for this kind of machine.
 * @param {string} root
 * @param {string} node path of the Node binary that runs npm
 * @param {(line: string) => void} say
 */
export async function installDependencies(root, node, say) {
  if (isCurrent(root)) return;
  await withLock(join(root, '.cache', 'setup-modules.lock'), say, async () => {
    if (isCurrent(root)) return;
    if (!installedByHand(root)) {
      say('installing the dependencies of package-lock.json into node_modules/');
      await runNpm(node, root, ['ci', '--include=dev', '--include=optional']);
    }
    linkCommand(root);
    await warmCompileCache(root, node);
    writeStamp(root);
  });
}

/** @param {string} root */
function isCurrent(root) {
  return readIfThere(stampFile(root)) === stampOf(root);
}

/**
 * After `npm install` by a developer the tree is right and only the stamp is old: npm's own record of the tree says so.
 * @param {string} root
 */
function installedByHand(root) {
  const stamp = readIfThere(stampFile(root));
  if (stamp !== undefined && !stamp.endsWith(machine())) return false;
  const record = readIfThere(join(root, 'node_modules', '.package-lock.json'));
  if (record === undefined) return false;
  /** @typedef {{ packages: Record<string, { optional?: boolean, integrity?: string }> }} Lock */
  /** @type {Lock} */
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  /** @type {Lock} */
  const present = JSON.parse(record);
  return Object.entries(wanted.packages).every(
    ([path, entry]) => path === '' || entry.optional === true || present.packages[path]?.integrity === entry.integrity,
  );
}

/**
 * See tools/warm.ts. It only makes the first start quicker and smaller: when it fails, that start says why.
 * @param {string} root
 * @param {string} node
 */
async function warmCompileCache(root, node) {
  const env = { ...process.env, NODE_COMPILE_CACHE: compileCache(root) };
  const child = spawn(node, [join(root, 'tools', 'warm.ts')], { env, cwd: root, stdio: 'ignore', timeout: 60_000 });
  await new Promise((resolve) => child.once('close', resolve).once('error', resolve));
}

/**
 * `npx waypost` finds the project's own command by package.json; this link serves whoever has node_modules/.bin on PATH.
 * @param {string} root
 */
function linkCommand(root) {
  const link = join(root, 'node_modules', '.bin', 'waypost');
  if (existsSync(link) || process.platform === 'win32') return;
  mkdirSync(join(root, 'node_modules', '.bin'), { recursive: true });
  symlinkSync('../../bin/waypost.js', link);
  chmodSync(join(root, 'bin', 'waypost.js'), 0o755);
}

/** @param {string} root */
function writeStamp(root) {
  const draft = `${stampFile(root)}.${process.pid}`;
  writeFileSync(draft, stampOf(root));
  renameSync(draft, stampFile(root));
}

/** @param {string} root */
function stampOf(root) {
  const hash = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  return `${hash} ${machine()}`;
}

function machine() {
  return `${process.platform}-${process.arch}`;
}

/** @param {string} root */
function stampFile(root) {
  return join(root, 'node_modules', '.waypost-stamp');
}

/** @param {string} path */
function readIfThere(path) {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}
