import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boundaryProblems, importsOf } from './boundaries.ts';

const cases: [what: string, path: string, source: string, allowed: boolean][] = [
  ['a lib imports a lib', 'libs/mail/a.ts', "import { b } from '../bus/b.ts';", true],
  ['a lib imports a service', 'libs/mail/a.ts', "import { b } from '../../services/queue/b.ts';", false],
  ['a lib takes a type from a service', 'libs/mail/a.ts', "import type { B } from '../../services/queue/b.ts';", false],
  ['a service imports its own file', 'services/queue/a.ts', "import { b } from './sub/b.ts';", true],
  ['a service imports another service', 'services/queue/a.ts', "export * from '../auth/b.ts';", false],
  ['a service loads another service late', 'services/queue/a.ts', "const b = await import('../auth/b.ts');", false],
  ['services/all.ts composes services', 'services/all.ts', "import { start } from './auth/main.ts';", true],
  ['a service imports a test', 'services/queue/a.ts', "import { b } from '../../tests/b.ts';", false],
  [
    'a unit test imports a test backend',
    'libs/store/a.test.ts',
    "import { b } from '../../tests/backends/mongo.ts';",
    true,
  ],
  [
    'the SQLite adapter imports node:sqlite',
    'libs/store/sqlite/a.ts',
    "import { DatabaseSync } from 'node:sqlite';",
    true,
  ],
  ['a service imports node:sqlite', 'services/queue/a.ts', "import { DatabaseSync } from 'node:sqlite';", false],
  ['a service imports mongodb', 'services/queue/a.ts', "import { MongoClient } from 'mongodb';", false],
  ['GridFS imports mongodb', 'libs/store/mongo/blobs/write.ts', "import { Binary } from 'mongodb';", true],
  ['a service imports s3mini', 'services/ingress/main.ts', "import { S3mini } from 's3mini';", false],
  ['a chaos test imports mongodb', 'tests/chaos/a.ts', "import { MongoClient } from 'mongodb';", true],
  [
    'the MongoDB adapter is loaded with the composition',
    'services/all.ts',
    "import { o } from '../libs/store/mongo/o.ts';",
    false,
  ],
  [
    'the MongoDB adapter is loaded late',
    'services/all.ts',
    "const o = await import('../libs/store/mongo/o.ts');",
    true,
  ],
  ['a type of the MongoDB adapter', 'services/all.ts', "import type { O } from '../libs/store/mongo/o.ts';", true],
];

for (const [what, path, source, allowed] of cases) {
  test(`${what}: ${allowed ? 'allowed' : 'refused'}`, () => {
    assert.equal(boundaryProblems(path, source).length, allowed ? 0 : 1);
  });
}

test('imports over several lines, bare imports and re-exports are found', () => {
  const source =
    "import {\n  a,\n  type B,\n} from './a.ts';\nimport './side.ts';\nexport { c } from './c.ts';\nconst from = './no.ts';\n";
  assert.deepEqual(
    importsOf(source).map(({ specifier }) => specifier),
    ['./a.ts', './side.ts', './c.ts'],
  );
});
