import type { Readable } from 'node:stream';
import { spec } from 'node:test/reporters';

/**
 * Node's own report for people. Where nobody watches (no terminal) the tests that passed are left out. The counts come last, also
 * after failures, in the form `# tests 12`, which other programs read.
 */
export async function* report(events: Readable): AsyncGenerator<string> {
  const watched = process.stdout.isTTY === true;
  const counts: string[] = [];
  let rest = '';
  for await (const chunk of events.compose(new spec())) {
    const lines = `${rest}${String(chunk)}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (COUNT.test(line)) counts.push(line.replace('ℹ', '#'));
      else if (watched || !PASSED.test(line)) yield `${line}\n`;
    }
  }
  yield `${rest}${counts.join('\n')}\n`;
}

// A terminal gets a colour before the sign.
const COUNT = /^(?:\u001b\[\d+m)?ℹ (?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /u;
const PASSED = /^\s*[✔▶] /u;
