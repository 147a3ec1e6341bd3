import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The clone's folder, with a slash at its end. */
export const projectRoot = fileURLToPath(new URL('..', import.meta.url));

/** Paths, from the clone's folder, of all files that git has or would take. */
export function sourceFiles(pattern: RegExp): string[] {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: projectRoot,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return [...new Set(list.split('\0'))]
    .filter((path) => pattern.test(path) && existsSync(join(projectRoot, path)))
    .sort();
}

/** Prints problems, one a line, and lets the process end with failure when there are any. */
export function reportProblems(problems: string[]): void {
  for (const problem of problems) process.stdout.write(`${problem}\n`);
  if (problems.length > 0) process.exitCode = 1;
}
