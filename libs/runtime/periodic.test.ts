import assert from 'node:assert/strict';
import test from 'node:test';
import { pino } from 'pino';
import type { Clock } from './clock.ts';
import { Periodic } from './periodic.ts';

/** Time stands still until the test lets the pauses under way end; `paused` has their lengths. */
function stoppedClock() {
  const paused: { ms: number; end: () => void }[] = [];
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => 0,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        const pause = { ms, end: resolve };
        paused.push(pause);
        const end = (): void => {
          paused.splice(paused.indexOf(pause), 1);
          resolve();
        };
        pause.end = end;
        signal.addEventListener('abort', end, { once: true });
      }),
  };
  return { clock, paused };
}

/** All that follows from what has happened has happened. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const log = pino({ level: 'silent' });

test('the task runs at the start, after each interval and when it is kicked', async () => {
  const { clock, paused } = stoppedClock();
  let runs = 0;
  const periodic = new Periodic({ name: 't', intervalMs: 1000, clock, log, task: async () => void runs++ });
  periodic.start();
  await settled();
  assert.equal(runs, 1);
  assert.deepEqual(
    paused.map(({ ms }) => ms),
    [1000],
  );
  paused[0]?.end();
  await settled();
  assert.equal(runs, 2);
  periodic.kick();
  await settled();
  assert.equal(runs, 3);
  await periodic.stop();
  assert.deepEqual([runs, paused.length], [3, 0]);
});

test('kicks during a run lead to one more run, after the least gap', async () => {
  const { clock, paused } = stoppedClock();
  let runs = 0;
  const first = Promise.withResolvers<void>();
  const task = (): Promise<void> => (++runs === 1 ? first.promise : Promise.resolve());
  const periodic = new Periodic({ name: 't', intervalMs: 1000, minGapMs: 50, clock, log, task });
  periodic.start();
  for (let n = 0; n < 5; n++) periodic.kick();
  first.resolve();
  await settled();
  assert.equal(runs, 1);
  assert.deepEqual(
    paused.map(({ ms }) => ms),
    [50],
  );
  paused[0]?.end();
  await settled();
  assert.equal(runs, 2);
  await periodic.stop();
});

test('a failed run is tried again, and kicks do not hurry it', async () => {
  const { clock, paused } = stoppedClock();
  let runs = 0;
  const task = (): Promise<void> => (++runs === 1 ? Promise.reject(new Error('away')) : Promise.resolve());
  const periodic = new Periodic({ name: 't', intervalMs: 60_000, clock, log, task });
  periodic.start();
  await settled();
  periodic.kick();
  await settled();
  assert.equal(runs, 1);
  assert.deepEqual(
    paused.map(({ ms }) => ms),
    [5_000],
  );
  paused[0]?.end();
  await settled();
  assert.equal(runs, 2);
  await periodic.stop();
});

test('stopping aborts the run under way and waits for its end', async () => {
  const { clock } = stoppedClock();
  let ended = false;
  const task = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      signal.addEventListener('abort', () => setImmediate(() => resolve(void (ended = true))), { once: true });
    });
  const periodic = new Periodic({ name: 't', intervalMs: 1000, clock, log, task });
  periodic.start();
  await periodic.stop();
  assert.ok(ended);
});
