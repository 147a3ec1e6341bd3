import { writeSync } from 'node:fs';
import { installDependencies } from './dependencies.mjs';
import { findNode } from './runtime.mjs';
import { SetupError } from './setup-error.mjs';

/**
 * Makes the clone ready to run: a Node that fits and the dependencies of the lockfile. Does nothing, in a few milliseconds,
 * when both are there. What it does is said on stderr, so that a command's own output stays clean.
 * @param {string} root the clone's folder
 * @returns {Promise<string>} the path of the Node to run Waypost with
 */
export async function prepareOrExit(root) {
  try {
    const node = await findNode(root, say);
    await installDependencies(root, node, say);
    return node;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    say(error.message);
    process.exit(1);
  }
}

/** @param {string} line */
function say(line) {
  writeSync(2, `set-up: ${line}\n`);
}
