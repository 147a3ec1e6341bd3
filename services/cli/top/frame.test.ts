import assert from 'node:assert/strict';
import test from 'node:test';
import { frameLines } from './frame.ts';
import { openScreen } from './screen.ts';
import type { Snapshot } from './snapshot.ts';

const at = (second: number, change: Partial<Snapshot> = {}): Snapshot => ({
  asOf: new Date(Date.UTC(2030, 0, 1, 0, 0, second)).toISOString(),
  byState: { queued: 10, delivered: 100 },
  oldestDueAt: '2030-01-01T00:00:00.000Z',
  destinationCount: 2,
  destinations: [{ name: 'one.test', group: null, ready: 1, deferred: 2, leased: 3, held: 4, stopped: 'paused' }],
  errors: [{ at: '2030-01-01T00:00:00.000Z', recipient: 'a@one.test', reply: '451 \x1b[31mlater\r\n' }],
  ...change,
});
const size = { columns: 100, rows: 30 };

test('a frame shows states with their change since the last, destinations and errors', () => {
  const frame = frameLines(at(4, { byState: { queued: 4, delivered: 120 } }), at(2), size).join('\n');
  assert.match(frame, /2 destinations {2}oldest due for 4 s/);
  assert.match(frame, /-3\.0\/s\s+\+10\.0\/s/);
  assert.match(frame, /one\.test\s+-\s+1\s+2\s+3\s+4\s+paused/);
  assert.doesNotMatch(frame, /\x1b|\r/, 'what servers say is not obeyed by the terminal');
});

test('a frame never is larger than the terminal, and says what is missing', () => {
  const many = Array.from({ length: 90 }, (_, n) => ({ ...at(0).destinations![0]!, name: `${'x'.repeat(90)}${n}` }));
  const frame = frameLines(at(0, { destinations: many }), undefined, { columns: 60, rows: 14 });
  assert.equal(frame.length, 14);
  assert.ok(frame.every((line) => line.length <= 60));
  assert.match(frame.at(-1) ?? '', /a@one.test/, 'errors keep their place');
  const without = frameLines(at(0, { destinations: undefined, errors: [] }), undefined, size).join('\n');
  assert.match(without, /does not list destinations/);
  assert.match(frameLines(at(0), undefined, { ...size, trouble: 'away' }).join('\n'), /! away/);
});

test('a terminal is drawn on its second screen and left as it was; a pipe gets plain frames, or JSON', () => {
  const written = (isTTY: boolean, json: boolean): string => {
    let text = '';
    const write = (more: string): boolean => ((text += more), true);
    const screen = openScreen({ isTTY, columns: 80, rows: 24, write } as Parameters<typeof openScreen>[0], json);
    screen.show(at(0), undefined);
    screen.close();
    return text;
  };
  const drawn = written(true, false);
  assert.ok(drawn.startsWith('\x1b[?1049h\x1b[?25l') && drawn.endsWith('\x1b[?25h\x1b[?1049l'));
  assert.doesNotMatch(written(false, false), /\x1b/);
  assert.deepEqual(JSON.parse(written(true, true)), at(0));
});
