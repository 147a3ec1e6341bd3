import type { TestContext } from 'node:test';
import { Registry } from 'prom-client';
import { createNatsBus } from '../../libs/bus/nats/bus.ts';
import type { NatsBusOptions } from '../../libs/bus/nats/options.ts';
import type { Bus } from '../../libs/bus/port.ts';
import { createLogger } from '../../libs/ops/logger.ts';
import { systemClock } from '../../libs/runtime/clock.ts';
import { newId } from '../../libs/runtime/ids.ts';

export interface BusUnderTest {
  bus: Bus;
  /** The value of a metric without labels, or with these. */
  metric: (name: string, labels?: string) => Promise<number>;
  /** All that was logged, as text. */
  log: () => string;
}

/** A bus of a process of its own, closed with the test. */
export async function natsBus(
  t: TestContext,
  options: Partial<NatsBusOptions> & { url: string },
): Promise<BusUnderTest> {
  const metrics = new Registry();
  const lines: string[] = [];
  const bus = await createNatsBus({
    service: 'test',
    source: `/waypost/test/${newId()}`,
    clock: systemClock,
    log: createLogger({ level: 'info', service: 'test', destination: { write: (line) => void lines.push(line) } }),
    metrics,
    createStreams: true,
    ...options,
  });
  t.after(() => bus.close());
  return {
    bus,
    metric: async (name, labels = '') => {
      const line = (await metrics.metrics()).split('\n').find((one) => one.startsWith(`${name}${labels} `));
      return Number(line?.split(' ').at(-1) ?? 0);
    },
    log: () => lines.join(''),
  };
}

/** What handlers saw, and a way to wait for it. */
export function seen<T>(): { items: T[]; add(item: T): void } {
  const items: T[] = [];
  return { items, add: (item) => void items.push(item) };
}
