import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { SetupError } from './setup-error.mjs';

/**
 * Runs npm's own cli.js with the given Node: npm quietly picks older versions of packages for an older Node.
 * No package's scripts run: none of the dependencies needs them.
 * @param {string} node path of the Node binary
 * @param {string} folder
 * @param {string[]} args
 */
export async function runNpm(node, folder, args) {
  const cli = npmCli();
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  const code = await new Promise((resolve, reject) => {
    const child = spawn(node, [cli, ...args, ...flags], {
      cwd: folder,
      env: outsideOfNpm(node),
      stdio: ['ignore', 2, 2],
    });
    child.once('error', reject);
    child.once('close', (status, signal) => resolve(status ?? signal));
  });
  if (code === 0) return;
  throw new SetupError(
    `\`npm ${args.join(' ')}\` failed (${code}), see above. Set-up needs the npm registry once: when the network is the trouble, check ` +
      '`npm config get registry` and HTTPS_PROXY; then run the command again.',
  );
}

function npmCli() {
  const found = candidates().find((path) => existsSync(path));
  if (found !== undefined) return realpathSync(found);
  throw new SetupError('npm was not found beside Node nor on PATH. Install npm and run the command again.');
}

/** @returns {string[]} */
function candidates() {
  const node = realpathSync(process.execPath);
  const caller = process.env['npm_execpath'];
  const onPath = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'npm'))
    .filter((path) => existsSync(path) && basename(realpathSync(path)) === 'npm-cli.js');
  return [
    ...(caller !== undefined && /^np[mx]-cli\.js$/.test(basename(caller)) ? [join(dirname(caller), 'npm-cli.js')] : []),
    join(dirname(node), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    join(dirname(node), 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    ...onPath,
  ];
}

/**
 * The environment without what an outer npm says about its own run; what a user configured (registry, proxy, cafile) stays.
 * @param {string} node
 */
function outsideOfNpm(node) {
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env['PATH'] ?? ''}` };
  for (const name of Object.keys(env)) {
    if (/^npm_(lifecycle|package|command|execpath|config_local_prefix|config_global|config_prefix)/.test(name)) {
      Reflect.deleteProperty(env, name);
    }
  }
  return env;
}
