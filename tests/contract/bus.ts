import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BusTimeout, BusUnavailable, RequestFailed } from '../../libs/bus/port.ts';
import type { Bus } from '../../libs/bus/port.ts';
import { newId } from '../../libs/runtime/ids.ts';

export interface BusFixture {
  bus: Bus;
  close(): Promise<void>;
}

/** What every adapter of libs/bus/port.ts keeps. `open` gives a bus that nobody else uses. */
export function busContract(name: string, open: () => Promise<BusFixture>): void {
  const withBus = (behaviour: string, run: (bus: Bus) => Promise<void>): void => {
    test(behaviour, async () => {
      const fixture = await open();
      try {
        await run(fixture.bus);
      } finally {
        await fixture.close();
      }
    });
  };

  describe(`${name} bus: events`, () => {
    withBus('every subscription of a type gets each event as a CloudEvent, in the order of publishing', async (bus) => {
      const first = collector<number>();
      const second = collector<string>();
      const accountId = newId();
      bus.subscribe(['mailbox.changed'], (event) => first.add(Number(event.data.state)));
      bus.subscribe(['mailbox.changed', 'mail.accepted'], (event) => second.add(`${event.specversion} ${event.type}`));
      bus.subscribe(['mail.bounced'], () => assert.fail('of another type'));
      for (let n = 0; n < 100; n++) bus.publish('mailbox.changed', { accountId, state: String(n) });
      assert.deepEqual(
        await first.take(100),
        Array.from({ length: 100 }, (_, n) => n),
      );
      assert.ok((await second.take(100)).every((text) => text === '1.0 mailbox.changed'));
    });

    withBus('subscriptions of one durable name share the events', async (bus) => {
      const shared = collector<string>();
      for (let n = 0; n < 3; n++) {
        bus.subscribe(['mailbox.changed'], (event) => shared.add(event.data.state), { durable: 'index' });
      }
      const accountId = newId();
      for (let n = 0; n < 30; n++) bus.publish('mailbox.changed', { accountId, state: String(n) });
      bus.publish('mailbox.changed', { accountId, state: 'end' });
      const got = await shared.take(31);
      assert.equal(new Set(got).size, 31);
    });

    withBus('handlers of a subscription run one after the other', async (bus) => {
      const done = collector<string>();
      let running = 0;
      bus.subscribe(['mailbox.changed'], async (event) => {
        running++;
        assert.equal(running, 1);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        done.add(event.data.state);
      });
      const accountId = newId();
      for (let n = 0; n < 10; n++) bus.publish('mailbox.changed', { accountId, state: String(n) });
      assert.equal((await done.take(10)).at(-1), '9');
    });

    withBus('a handler that throws loses its event and no other', async (bus) => {
      const done = collector<string>();
      bus.subscribe(['mailbox.changed'], (event) => {
        if (event.data.state === '0') throw new Error('of the handler');
        done.add(event.data.state);
      });
      const accountId = newId();
      bus.publish('mailbox.changed', { accountId, state: '0' });
      bus.publish('mailbox.changed', { accountId, state: '1' });
      assert.deepEqual(await done.take(1), ['1']);
    });

    withBus('a payload that does not fit is set aside, and publishing it does not throw', async (bus) => {
      const done = collector<string>();
      bus.subscribe(['mailbox.changed'], (event) => done.add(event.data.state));
      bus.publish('mailbox.changed', { accountId: 'no id', state: 'bad' });
      bus.publish('mailbox.changed', { accountId: newId(), state: 'good' });
      assert.deepEqual(await done.take(1), ['good']);
    });

    withBus('what a reader does to an event, no other reader sees', async (bus) => {
      const done = collector<number>();
      for (let n = 0; n < 2; n++) {
        bus.subscribe(['account.changed'], (event) => {
          done.add(event.data.addresses.length);
          event.data.addresses.length = 0;
        });
      }
      bus.publish('account.changed', { addresses: ['a@example.test'], change: 'updated' });
      assert.deepEqual(await done.take(2), [1, 1]);
    });

    withBus('after close a subscription gets nothing, and the handler that ran has ended', async (bus) => {
      let ended = 0;
      const begun = collector<true>();
      const subscription = bus.subscribe(['mailbox.changed'], async () => {
        begun.add(true);
        await new Promise((resolve) => setImmediate(resolve));
        ended++;
      });
      const accountId = newId();
      bus.publish('mailbox.changed', { accountId, state: '0' });
      await begun.take(1);
      bus.publish('mailbox.changed', { accountId, state: '1' });
      await subscription.close();
      assert.equal(ended, 1);
      bus.publish('mailbox.changed', { accountId, state: '2' });
      await bus.close();
      assert.equal(ended, 1);
    });
  });

  describe(`${name} bus: requests`, () => {
    const ask = { token: 't', remoteAddress: '192.0.2.1', via: 'http' } as const;

    withBus('a request gets the reply of whoever answers it', async (bus) => {
      bus.respond('directory.resolve', async ({ addresses }) => ({
        results: addresses.map(() => ({ kind: 'unknown' })),
      }));
      const { results } = await bus.request('directory.resolve', { addresses: ['a@x', 'b@x'] }, { timeoutMs: 5000 });
      assert.deepEqual(results, [{ kind: 'unknown' }, { kind: 'unknown' }]);
    });

    withBus('without anybody who answers a request fails at once as BusUnavailable', async (bus) => {
      await assert.rejects(bus.request('auth.token', ask, { timeoutMs: 60_000 }), BusUnavailable);
    });

    withBus('a request that nobody answers in time is BusTimeout, and its handler is told', async (bus) => {
      const told = collector<boolean>();
      bus.respond('auth.token', async (_body, signal) => {
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve, { once: true });
        });
        told.add(signal.aborted);
        return { ok: false, reason: 'invalid' };
      });
      await assert.rejects(bus.request('auth.token', ask, { timeoutMs: 20 }), BusTimeout);
      assert.deepEqual(await told.take(1), [true]);
    });

    withBus('a request whose asker gives up ends with the reason of its signal', async (bus) => {
      bus.respond('auth.token', () => new Promise(() => {}));
      const controller = new AbortController();
      const asked = bus.request('auth.token', ask, { timeoutMs: 60_000, signal: controller.signal });
      controller.abort(new Error('the asker has gone'));
      await assert.rejects(asked, /the asker has gone/);
    });

    withBus('errors of the answerer cross with their code', async (bus) => {
      bus.respond('auth.token', async () => {
        throw new RequestFailed('storeUnavailable', 'the store is away');
      });
      bus.respond('auth.verify', async () => {
        throw new TypeError('a mistake');
      });
      await assert.rejects(bus.request('auth.token', ask, { timeoutMs: 5000 }), failedWith('storeUnavailable'));
      const login = { username: 'a', password: 'b', remoteAddress: '192.0.2.1', via: 'smtp' } as const;
      await assert.rejects(bus.request('auth.verify', login, { timeoutMs: 5000 }), failedWith('internal'));
    });

    withBus('questions and replies that do not fit are refused on both sides', async (bus) => {
      let asked = 0;
      bus.respond('directory.resolve', async () => {
        asked++;
        return { results: [{ kind: 'remote', domain: 'x' }] };
      });
      const tooMany = { addresses: Array.from({ length: 1001 }, () => 'a@x') };
      await assert.rejects(bus.request('directory.resolve', tooMany, { timeoutMs: 5000 }), failedWith('badRequest'));
      assert.equal(asked, 0);
      bus.respond('queue.pull', async () => ({ claim: { owner: '', token: '' }, leaseMs: Number.NaN, rows: [] }));
      const pull = { kind: 'local', worker: 'w', capacity: 1, waitMs: 0 } as const;
      await assert.rejects(bus.request('queue.pull', pull, { timeoutMs: 5000 }), failedWith('badReply'));
    });

    withBus('`to` reaches the one that answers under that name, and nobody else', async (bus) => {
      for (const owner of ['a', 'b']) {
        bus.respond('queue.pull', async () => ({ claim: { owner, token: 't' }, leaseMs: 1, rows: [] }), { as: owner });
      }
      const pull = { kind: 'local', worker: 'w', capacity: 1, waitMs: 0 } as const;
      for (const to of ['a', 'b', 'a']) {
        assert.equal((await bus.request('queue.pull', pull, { timeoutMs: 5000, to })).claim.owner, to);
      }
      await assert.rejects(bus.request('queue.pull', pull, { timeoutMs: 5000, to: 'c' }), BusUnavailable);
    });

    withBus('requests run side by side, and several that answer share them', async (bus) => {
      const waiting: (() => void)[] = [];
      const answered = new Map<string, number>();
      for (const one of ['first', 'second']) {
        bus.respond('auth.token', async () => {
          answered.set(one, (answered.get(one) ?? 0) + 1);
          await new Promise<void>((resolve) => {
            waiting.push(resolve);
            if (waiting.length === 20) for (const go of waiting) go();
          });
          return { ok: false, reason: 'invalid' };
        });
      }
      await Promise.all(Array.from({ length: 20 }, () => bus.request('auth.token', ask, { timeoutMs: 5000 })));
      assert.equal(answered.size, 2);
    });

    withBus('after close nobody answers any more', async (bus) => {
      const answering = bus.respond('auth.token', async () => ({ ok: false, reason: 'invalid' }));
      await bus.request('auth.token', ask, { timeoutMs: 5000 });
      await answering.close();
      await assert.rejects(bus.request('auth.token', ask, { timeoutMs: 5000 }), BusUnavailable);
    });
  });

  describe(`${name} bus: wake-ups`, () => {
    withBus('a wake-up reaches everybody who listens for its name', async (bus) => {
      const got = collector<number>();
      bus.onWake('queue.rows', ({ partitions }) => got.add(partitions[0] ?? -1));
      const closed = bus.onWake('queue.rows', () => assert.fail('closed'));
      bus.onWake('queue.rows', ({ partitions }) => got.add(partitions[0] ?? -1));
      await closed.close();
      bus.wake('queue.rows', { partitions: [7] });
      assert.deepEqual(await got.take(2), [7, 7]);
    });

    withBus('a wake-up that does not fit is set aside', async (bus) => {
      const got = collector<number>();
      bus.onWake('queue.rows', ({ partitions }) => got.add(partitions[0] ?? -1));
      bus.wake('queue.rows', { partitions: [256] });
      bus.wake('queue.rows', { partitions: [255] });
      assert.deepEqual(await got.take(1), [255]);
    });
  });
}

function failedWith(code: string): (error: unknown) => boolean {
  return (error) => error instanceof RequestFailed && error.code === code;
}

/** Gathers what handlers see; `take` resolves when there are so many. */
function collector<T>(): { add(item: T): void; take(count: number): Promise<T[]> } {
  const items: T[] = [];
  let notify = (): void => {};
  return {
    add(item) {
      items.push(item);
      notify();
    },
    async take(count) {
      const limit = AbortSignal.timeout(5000);
      while (items.length < count) {
        await new Promise<void>((resolve, reject) => {
          notify = resolve;
          limit.addEventListener('abort', () => reject(new Error(`only ${items.length} of ${count} within 5 s`)), {
            once: true,
          });
        });
      }
      return items.slice(0, count);
    },
  };
}
