// A file is one concept: over 250 lines it is worth a look, over 400 it is two.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot, reportProblems, sourceFiles } from './source-files.ts';

const WARN_LINES = 250;
const FAIL_LINES = 400;

const lengths = sourceFiles(/\.(ts|js|mjs)$/)
  .filter((path) => !path.startsWith('tests/fixtures/'))
  .map((path) => ({ path, lines: readFileSync(join(projectRoot, path), 'utf8').trimEnd().split('\n').length }));

for (const { path, lines } of lengths) {
  if (lines > WARN_LINES && lines <= FAIL_LINES) process.stdout.write(`warning: ${path} has ${lines} lines\n`);
}
reportProblems(
  lengths
    .filter(({ lines }) => lines > FAIL_LINES)
    .map(({ path, lines }) => `${path} has ${lines} lines, the limit is ${FAIL_LINES}: it is more than one concept`),
);
