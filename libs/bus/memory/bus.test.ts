import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { busContract } from '../../../tests/contract/bus.ts';
import { createLogger } from '../../ops/logger.ts';
import { systemClock } from '../../runtime/clock.ts';
import { newId } from '../../runtime/ids.ts';
import { createMemoryBus } from './bus.ts';

function open(queueCap?: number) {
  const metrics = new Registry();
  const log = createLogger({ level: 'silent', service: 'test' });
  const bus = createMemoryBus({
    source: '/waypost/test/1',
    clock: systemClock,
    log,
    metrics,
    ...(queueCap === undefined ? {} : { queueCap }),
  });
  return { bus, metrics, close: () => bus.close() };
}

busContract('memory', async () => open());

test('past the cap of a queue the oldest events are dropped and counted', async () => {
  const { bus, metrics, close } = open(3);
  const seen: string[] = [];
  let allSeen = (): void => {};
  const done = new Promise<void>((resolve) => {
    allSeen = resolve;
  });
  bus.subscribe(['mailbox.changed'], (event) => {
    seen.push(event.data.state);
    if (event.data.state === '9') allSeen();
  });
  const accountId = newId();
  for (let n = 0; n < 10; n++) bus.publish('mailbox.changed', { accountId, state: String(n) });
  await done;
  assert.deepEqual(seen, ['7', '8', '9']);
  assert.match(await metrics.metrics(), /waypost_bus_dropped_total\{kind="event"\} 7/);
  await close();
});
