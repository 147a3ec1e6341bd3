import { join } from 'node:path';
import { projectRoot } from './source-files.ts';

const modules = join(projectRoot, 'node_modules');

/** The development tools' own start files, run with the Node that runs now (their links in .bin take the one on PATH). */
export const toolPaths = {
  biome: join(modules, '@biomejs', 'biome', 'bin', 'biome'),
  knip: join(modules, 'knip', 'bin', 'knip.js'),
  oxlint: join(modules, 'oxlint', 'bin', 'oxlint'),
  tsc: join(modules, 'typescript', 'bin', 'tsc'),
};
