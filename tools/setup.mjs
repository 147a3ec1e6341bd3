// The pre-step of every npm script. Plain JavaScript without dependencies, so that any Node from 20 on runs it in a fresh clone.
//   node tools/setup.mjs                    sets up and ends
//   node tools/setup.mjs --run FILE ARG…    sets up, then becomes FILE, run by a Node that fits
import { fileURLToPath } from 'node:url';
import { prepareOrExit } from './setup/prepare.mjs';
import { becomeNode } from './setup/become.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const [flag, file, ...args] = process.argv.slice(2);
if (flag !== undefined && (flag !== '--run' || file === undefined)) {
  process.stderr.write('usage: node tools/setup.mjs [--run FILE ARG…]\n');
  process.exit(2);
}
const node = await prepareOrExit(root);
if (file !== undefined) await becomeNode(node, root, file, args);
