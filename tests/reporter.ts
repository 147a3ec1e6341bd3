import type { Readable } from 'node:stream';
import { spec } from 'node:test/reporters';

/**
 * Node's own report for people. Where nobody watches (no terminal) the tests that passed are left out. The counts come last, also
 * after failures, in the form `# tests 12`, which other programs read.
 */
export async function* report(events: Readable): AsyncGenerator<string> {
  const watched = process.stdout.isTTY === true;
  const counts: string[] = [];
  for await (const chunk of events.compose(new spec())) {
    const text = String(chunk);
    if (COUNT.test(text)) counts.push(text.replace('ℹ', '#'));
    else if (watched || !isPassed(text)) yield text;
  }
  yield counts.join('');
}

// A terminal gets a colour before the sign.
const COUNT = /^(?:\u001b\[\d+m)?ℹ (?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /u;

function isPassed(text: string): boolean {
  return text.split('\n').every((line) => /^\s*(?:[✔▶] |$)/u.test(line));
}
