// Documents that are made from the code: `npm run docs` writes them, `--check` fails when one differs from what would be written.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { projectRoot, reportProblems } from './source-files.ts';

interface GeneratedDocument {
  /** From the clone's folder. */
  path: string;
  /** The whole text. Modules are imported inside, so that one that is broken names its document. */
  text: () => Promise<string>;
}

const documents: GeneratedDocument[] = [
  {
    path: 'docs/configuration.md',
    text: async () => (await import('../libs/config/documentation.ts')).generateConfigurationDoc(),
  },
  {
    path: 'docs/events.md',
    text: async () => (await import('../libs/bus/documentation.ts')).generateEventsDoc(),
  },
  {
    path: 'docs/rights.md',
    text: async () => (await import('../deploy/rights/document.ts')).generateRightsDoc(),
  },
  {
    path: 'docs/behaviours.md',
    text: async () => (await import('./behaviours-document.ts')).generateBehavioursDoc(),
  },
  {
    path: 'docs/openapi.json',
    text: async () => (await import('./api-document.ts')).generateApiDocument(),
  },
];

const check = process.argv.includes('--check');
const problems: string[] = [];
for (const { path, text } of documents) {
  const file = join(projectRoot, path);
  const wanted = await text();
  const present = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  if (present === wanted) continue;
  if (check) {
    problems.push(`${path} differs from the code that it describes: run npm run docs`);
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, wanted);
    process.stdout.write(`${path} written\n`);
  }
}
reportProblems(problems);
