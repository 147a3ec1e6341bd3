// Words that have no place in the project: paths of somebody's machine, addresses of package registries, leftovers of a merge.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot, reportProblems, sourceFiles } from './source-files.ts';

const forbidden: { pattern: RegExp; says: string }[] = [
  { pattern: /(?<![\w.$}])\/(?:root|work|home\/(?!node\b)[a-z]\w*|Users\/\w+)\//, says: 'a path of one machine' },
  {
    pattern: /\/\/(?:[\w-]+\.)*(?:registry|pypi|npmjs|proxy\.golang|pythonhosted)\.\w+/,
    says: 'the address of a package registry',
  },
  { pattern: /^(?:<{7}|>{7}|={7})(?: |$)/, says: 'a leftover of a merge' },
];

/** What is wrong with the words of one file, one line each. */
export function wordProblems(path: string, text: string): string[] {
  return text
    .split('\n')
    .flatMap((line, index) =>
      forbidden.filter(({ pattern }) => pattern.test(line)).map(({ says }) => `${path}:${index + 1}: ${says}`),
    );
}

if (import.meta.main) {
  const files = sourceFiles(/./).filter((path) => !path.startsWith('tests/fixtures/'));
  reportProblems(files.flatMap((path) => wordProblems(path, readFileSync(join(projectRoot, path), 'utf8'))));
}
