// `npm test` runs every *.test.ts; `npm test -- libs/mail tests/e2e` those under the paths; `-- --name PATTERN` tests of that name.
import { globSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative, resolve, sep } from 'node:path';
import { run } from 'node:test';
import { parseArgs } from 'node:util';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { report } from './reporter.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
// One file's limit, and each test's in it. Long kill tests are commands of their own.
const FILE_LIMIT_MS = 10 * 60_000;

const { values, positionals } = parseArgs({ options: { name: { type: 'string' } }, allowPositionals: true });
const files = testFiles(positionals);
if (files.length === 0) {
  process.stderr.write(`no test file under ${positionals.join(', ')}\n`);
  process.exit(1);
}

// Unit tests share one process: to start Node costs more than most of them. All others get a process each, and start first
// because they take longest.
const shared = files.filter(mayShareProcess);
const isolated = files.filter((path) => !mayShareProcess(path));
process.env['WAYPOST_TEST_SHARED_FILES'] = shared.join('\n');
const runFolder = mkdtempSync(join(tmpdir(), 'waypost-test-'));
process.env['WAYPOST_TEST_RUN_DIR'] = runFolder;
process.once('exit', () => rmSync(runFolder, { recursive: true, force: true }));

const events = run({
  files: [...isolated, ...(shared.length > 1 ? ['tests/shared-process.ts'] : shared)].map((path) => join(root, path)),
  cwd: root,
  execArgv: ['--import', pathToFileURL(join(root, 'tests/random-seed.ts')).href],
  concurrency: Math.max(2, availableParallelism() - 1),
  timeout: FILE_LIMIT_MS,
  ...(values.name === undefined ? {} : { testNamePatterns: values.name }),
});
let executed = 0;
events.on('test:summary', ({ file, success, counts }) => {
  if (file !== undefined) return;
  executed = counts.tests - counts.skipped;
  if (!success) process.exitCode = 1;
});
for await (const text of report(events)) process.stdout.write(text);
if (executed === 0) {
  process.stderr.write('no test was executed\n');
  process.exitCode = 1;
}

/** Paths from the clone's folder. Folders and files may be named from where npm was called or from the clone's folder. */
function testFiles(under: string[]): string[] {
  const all = globSync('{libs,services,tests,tools}/**/*.test.ts', {
    cwd: root,
    exclude: ['**/node_modules/**', 'tests/fixtures/**'],
  });
  const wanted = under.map((path) => relative(root, resolve(root, path)));
  return all
    .filter(
      (file) =>
        wanted.length === 0 || wanted.some((path) => file === path || path === '' || file.startsWith(path + sep)),
    )
    .toSorted();
}

/** Tests beside the code share a process unless their name ends in .isolated.test.ts; tests/ is for those that need one each. */
function mayShareProcess(path: string): boolean {
  return !path.startsWith(`tests${sep}`) && !path.endsWith('.isolated.test.ts');
}
