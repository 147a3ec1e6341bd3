// docs/behaviours.md: how mail moves, and the tests that hold it. A test belongs to a behaviour when its name begins with the behaviour's id.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot, sourceFiles } from './source-files.ts';

interface Behaviour {
  id: string;
  text: string;
  standard: string;
  /** `now`, or which part of it is still to come. */
  holds: string;
}

const behaviours: readonly Behaviour[] = [
  behaviour(
    'B1',
    'each recipient has a mailbox on a server that manages and keeps the messages',
    'RFC 5321 §2.3.11, 5598',
  ),
  behaviour('B2', 'user agent → sender’s server → recipient’s server → mailbox', 'RFC 6409, 5321 §2.1, §4.4'),
  behaviour('B3', 'the mailbox’s server authenticates by user name and password', 'RFC 4954, 8314, 7617'),
  behaviour('B4', 'what can’t be delivered now is kept in a queue', 'RFC 5321 §4.5.4.1'),
  behaviour('B5', 'tried again about every 30 minutes', 'RFC 5321 §4.5.4.1'),
  behaviour('B6', 'after some days it leaves the queue', 'RFC 5321 §4.5.4.1'),
  behaviour('B7', 'the sender is told by another message', 'RFC 5321 §6.1, 3461, 3464, 6522'),
  behaviour('B8', 'TCP carries it without error', 'RFC 5321 §4.5.2, §6.1'),
  behaviour('B9', 'each server is client and server at the same time', 'RFC 5321 §2.1'),
  behaviour('B10', 'the client opens TCP to port 25 of the receiver', 'RFC 5321 §5.1, 7505'),
  behaviour('B11', 'the receiver isn’t up: wait, connect again', 'RFC 5321 §4.5.4.1, §5.1'),
  behaviour('B12', 'both introduce themselves first', 'RFC 5321 §3.1, §3.2, §4.1.4'),
  behaviour('B13', 'the client names sender and recipients', 'RFC 5321 §3.3'),
  behaviour('B14', 'then the message goes', 'RFC 5321 §4.1.1.4, 1870'),
  behaviour('B15', 'further messages to the same server use the same connection, then it closes', 'RFC 5321 §3.3'),
  behaviour('B16', 'bodies are 7-bit: binary is encoded before and decoded after', 'RFC 2045 §6, 6152'),
  behaviour('B17', 'headers are 7-bit too', 'RFC 2047, 2231, 6531, 6532'),
  behaviour('B18', 'SMTP pushes; reading pulls', 'RFC 5321 §2.1, 8620, 9110'),
];

export function generateBehavioursDoc(): string {
  const tests = testsByBehaviour();
  const rows = behaviours.map(({ id, text, standard, holds }) => `| ${id} | ${text} | ${standard} | ${holds} |`);
  return [
    '# How mail moves',
    '',
    '<!-- Made by `npm run docs` from tools/behaviours-document.ts and the names of the tests. -->',
    '',
    'What a mail server does, the standard that rules it, and the tests that hold it. A test’s name begins with the id of its behaviour:',
    '`npm test -- --name B8` runs those of one.',
    '',
    '| id | behaviour | standard | holds |',
    '| --- | --- | --- | --- |',
    ...rows,
    ...behaviours.flatMap(({ id }) => section(id, tests.get(id) ?? [])),
    '',
  ].join('\n');
}

function behaviour(id: string, text: string, standard: string, holds = 'now'): Behaviour {
  return { id, text, standard, holds };
}

interface NamedTest {
  path: string;
  name: string;
}

function section(id: string, tests: readonly NamedTest[]): string[] {
  if (tests.length === 0) return [];
  return ['', `## ${id}`, '', ...tests.map(({ path, name }) => `- [${path}](../${path}): ${name}`)];
}

function testsByBehaviour(): Map<string, NamedTest[]> {
  const tests = new Map<string, NamedTest[]>();
  for (const path of sourceFiles(/^(?:libs|services|tests)\/.*\.ts$/)) {
    const source = readFileSync(join(projectRoot, path), 'utf8');
    for (const [, , id = '', name = ''] of source.matchAll(/\b(?:it|test)\(\s*(['"`])(B\d+): ((?:\\.|(?!\1).)*)\1/g)) {
      const listed = tests.get(id) ?? [];
      tests.set(id, [...listed, { path, name: name.replace(/\$\{[^}]*\}/g, '…') }]);
    }
  }
  return tests;
}
