#!/usr/bin/env node
// The command line. Started by whatever Node the machine has; goes on with the one that Waypost needs.
import { fileURLToPath } from 'node:url';
import { becomeNode } from '../tools/setup/become.mjs';
import { prepareOrExit } from '../tools/setup/prepare.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
await becomeNode(await prepareOrExit(root), root, 'services/cli/main.ts', process.argv.slice(2));
