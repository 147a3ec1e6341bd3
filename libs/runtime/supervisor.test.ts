import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from '../ops/logger.ts';
import { superviseLoop } from './supervisor.ts';

test('a loop that fails is started again after longer and longer waits, until it is told to stop', async () => {
  const waits: number[] = [];
  const stop = new AbortController();
  let failures = 0;
  let nowMs = 0;
  const clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    sleep: async (ms: number) => {
      waits.push(ms);
      nowMs += ms;
      if (waits.length === 11) nowMs = 0;
    },
  };
  const run = async (): Promise<void> => {
    if (waits.length === 10) nowMs += 60_000;
    if (waits.length === 12) return stop.abort();
    throw new Error('of the loop');
  };
  const log = createLogger({ level: 'silent', service: 'test' });
  await superviseLoop('test', run, { signal: stop.signal, log, clock, onFailure: () => failures++ });
  assert.deepEqual(waits, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 100, 200]);
  assert.equal(failures, 12);
});
