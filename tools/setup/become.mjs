import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, dirname, resolve } from 'node:path';
import { compileCache } from './compile-cache.mjs';

/**
 * For a process that serves for months: small semi-spaces keep what a burst has needed from staying with it (7 MB less idle, the same rate).
 * @type {readonly string[]}
 */
export const servingFlags = ['--max-semi-space-size=4'];

/**
 * Runs a file with the given Node in place of this process: same terminal, same exit code, signals go to it. Where the running
 * Node can replace itself (process.execve) no parent stays in memory.
 * @param {string} node
 * @param {string} root
 * @param {string} file relative to root
 * @param {string[]} args
 */
export async function becomeNode(node, root, file, args) {
  const flags = file === 'services/main.ts' ? servingFlags : [];
  const argv = [...flags, resolve(root, file), ...args];
  const env = {
    ...process.env,
    PATH: `${dirname(node)}${delimiter}${process.env['PATH'] ?? ''}`,
    NODE_COMPILE_CACHE: compileCache(root),
  };
  if (typeof process.execve === 'function' && process.platform !== 'win32') {
    process.execve(node, [node, ...argv], env);
  }
  await runAsChild(node, argv, env);
}

/**
 * @param {string} node
 * @param {string[]} argv
 * @param {NodeJS.ProcessEnv} env
 */
async function runAsChild(node, argv, env) {
  const child = spawn(node, argv, { env, stdio: 'inherit' });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      // A terminal sends Ctrl-C to the child as well: twice would mean "at once" to it.
      if (signal === 'SIGINT' && process.stdin.isTTY) return;
      child.kill(signal);
    });
  }
  process.exitCode = await new Promise((resolveCode, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolveCode(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}
