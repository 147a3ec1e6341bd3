// `npm run check`: everything that a machine can judge without running the product. All checks run, then all failures are shown.
// `npm run check -- types lint` runs just those.
import { spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { projectRoot } from './source-files.ts';
import { toolPaths } from './tool-paths.ts';

interface Check {
  name: string;
  /** Arguments of node. */
  args: string[];
}

interface Outcome extends Check {
  passed: boolean;
  output: string;
  tookMs: number;
}

const CHECK_LIMIT_MS = 5 * 60_000;

const checks: Check[] = [
  { name: 'types', args: [toolPaths.tsc, '-p', '.'] },
  { name: 'lint', args: [toolPaths.oxlint, '--type-aware', '--deny-warnings'] },
  { name: 'format', args: [toolPaths.biome, 'format', '.'] },
  { name: 'dead-code', args: [toolPaths.knip, '--no-progress', '--no-config-hints'] },
  { name: 'boundaries', args: [join('tools', 'boundaries.ts')] },
  { name: 'docs', args: [join('tools', 'docs.ts'), '--check'] },
  { name: 'file-length', args: [join('tools', 'file-length.ts')] },
  { name: 'words', args: [join('tools', 'words.ts')] },
  { name: 'lockfile', args: [join('tools', 'lockfile.ts'), '--check'] },
];

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !checks.some((check) => check.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `no such check: ${unknown.join(', ')}; there are ${checks.map(({ name }) => name).join(', ')}\n`,
  );
  process.exit(2);
}
const outcomes = await runAll(checks.filter(({ name }) => asked.length === 0 || asked.includes(name)));
for (const { name, output } of outcomes.filter(({ passed }) => !passed)) {
  process.stdout.write(`\n── ${name} ──\n${output.trimEnd()}\n`);
}
const failed = outcomes.filter(({ passed }) => !passed).map(({ name }) => name);
process.stdout.write(
  failed.length === 0 ? `\nall ${outcomes.length} checks passed\n` : `\nfailed: ${failed.join(', ')}\n`,
);
if (failed.length > 0) process.exitCode = 1;

async function runAll(all: Check[]): Promise<Outcome[]> {
  const waiting = [...all];
  const done: Outcome[] = [];
  const worker = async (): Promise<void> => {
    for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
      const outcome = await run(check);
      done.push(outcome);
      process.stdout.write(`${outcome.passed ? 'passed' : 'FAILED'}  ${outcome.name} (${outcome.tookMs} ms)\n`);
      const warnings = outcome.passed ? outcome.output.split('\n').filter((line) => line.startsWith('warning: ')) : [];
      for (const warning of warnings) process.stdout.write(`        ${warning}\n`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, worker));
  return done;
}

async function run(check: Check): Promise<Outcome> {
  const started = performance.now();
  const child = spawn(process.execPath, check.args, {
    cwd: projectRoot,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: CHECK_LIMIT_MS,
  });
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const [out, err, status] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { ...check, passed: status === 0, output: out + err, tookMs: Math.round(performance.now() - started) };
}
