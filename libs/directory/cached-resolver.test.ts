import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { createMemoryBus } from '../bus/memory/bus.ts';
import type { Bus } from '../bus/port.ts';
import type { EventData } from '../bus/events.ts';
import { systemClock } from '../runtime/clock.ts';
import { newId } from '../runtime/ids.ts';
import { StoreUnavailable } from '../store/errors.ts';
import { openSqliteStore, type SqliteStore } from '../store/sqlite/open.ts';
import { CachedResolver } from './cached-resolver.ts';
import { resolveAddresses } from './resolve.ts';

const host = { domain: 'example.test', hostname: 'mail.example.test' };

describe('the cache of resolved addresses', () => {
  let store: SqliteStore;
  let dataDir: string;
  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'waypost-resolver-'));
    store = await openSqliteStore({ dataDir });
    await store.directoryAdmin.addDomain({ key: 'example.test', name: 'example.test', createdAt: 1 });
    for (const name of ['alice', 'bob']) await addAccount(name);
    const targets = ['alice@example.test', 'bob@example.test'];
    await store.directoryAdmin.addAlias({
      key: 'team@example.test',
      address: 'team@example.test',
      targets,
      createdAt: 1,
    });
  });
  after(async () => {
    await store.close();
    await rm(dataDir, { recursive: true });
  });

  async function addAccount(name: string): Promise<string> {
    const key = `${name}@example.test`;
    const id = newId();
    const rights = { enabled: true, admin: false, quota: { bytes: null, messages: null }, credentialVersion: 1 };
    await store.directoryAdmin.addAccount(
      { id, key, address: key, displayName: null, createdAt: 1, ...rights },
      'hash',
    );
    return id;
  }

  /** A resolver and, unless `auth` is false, who answers it and counts the addresses that were asked for. */
  function open(options: { auth?: boolean; maxWeight?: number } = {}) {
    let aheadMs = 0;
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs };
    const log = pino({ level: 'silent' });
    const bus: Bus = createMemoryBus({ source: '/waypost/test', clock, log, metrics: new Registry() });
    const asked: string[][] = [];
    const gate: { wait: Promise<void> } = { wait: Promise.resolve() };
    if (options.auth !== false) {
      bus.respond('directory.resolve', async ({ addresses }) => {
        const results = await resolveAddresses(addresses, { ...store, host });
        asked.push([...addresses]);
        await gate.wait;
        return { results };
      });
    }
    const limits = options.maxWeight === undefined ? {} : { maxWeight: options.maxWeight };
    const resolver = new CachedResolver({ ...store, bus, clock, metrics: new Registry(), host, ...limits });
    const publish = async (data: EventData<'account.changed'>): Promise<void> => {
      const seen = new Promise<void>((resolve) => bus.subscribe(['account.changed'], () => resolve()));
      bus.publish('account.changed', data);
      await seen;
    };
    const pass = (ms: number): void => {
      aheadMs += ms;
    };
    return { resolver, bus, asked, gate, publish, pass };
  }

  it('asks once for what is asked again within ten seconds, in whatever case', async () => {
    const { resolver, asked, pass } = open();
    const first = await resolver.resolve(['alice@example.test', 'nobody@example.test', 'ALICE@example.test']);
    assert.deepEqual(
      first.map(({ kind }) => kind),
      ['local', 'unknown', 'local'],
    );
    pass(9_000);
    assert.deepEqual(await resolver.resolve(['alice@EXAMPLE.test', 'nobody@example.test']), first.slice(0, 2));
    assert.deepEqual(asked, [['alice@example.test', 'nobody@example.test']]);
    pass(1_001);
    await resolver.resolve(['alice@example.test']);
    assert.equal(asked.length, 2);
  });

  it('addresses asked for at the same time are looked up once', async () => {
    const { resolver, asked } = open();
    const results = await Promise.all(
      Array.from({ length: 20 }, () => resolver.resolve(['alice@example.test', 'bob@example.test'])),
    );
    assert.equal(new Set(results.map((result) => JSON.stringify(result))).size, 1);
    assert.deepEqual(asked, [['alice@example.test', 'bob@example.test']]);
  });

  it('a change of an account drops what leads to it, and a new address drops everything', async () => {
    const { resolver, asked, publish } = open();
    const [alice] = await resolver.resolve(['alice@example.test', 'bob@example.test', 'team@example.test']);
    assert.ok(alice?.kind === 'local');
    const accountId = alice.targets[0]?.accountId ?? '';
    await publish({ accountId, addresses: ['alice@example.test'], change: 'updated' });
    await resolver.resolve(['alice@example.test', 'bob@example.test', 'team@example.test']);
    assert.deepEqual(asked.at(-1), ['alice@example.test', 'team@example.test']);
    await publish({ addresses: ['x@example.test'], change: 'alias' });
    await resolver.resolve(['alice@example.test', 'bob@example.test', 'team@example.test']);
    assert.equal(asked.at(-1)?.length, 3);
  });

  for (const [name, whenAsked] of [
    ['joined', 'by those who ask before it comes'],
    ['kept', 'by those who ask after it came'],
  ] as const) {
    it(`an answer that was under way when something changed is not taken ${whenAsked}`, async () => {
      const { resolver, asked, gate, publish } = open();
      const opened = Promise.withResolvers<void>();
      gate.wait = opened.promise;
      const early = resolver.resolve([`${name}@example.test`]);
      while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
      // The directory was read; only now the account is made.
      const accountId = await addAccount(name);
      await publish({ accountId, addresses: [`${name}@example.test`], change: 'created' });
      const later = name === 'joined' ? resolver.resolve([`${name}@example.test`]) : undefined;
      opened.resolve();
      assert.equal((await early)[0]?.kind, 'unknown');
      const [answer] = await (later ?? resolver.resolve([`${name}@example.test`]));
      assert.equal(answer?.kind, 'local');
    });
  }

  it('reads the store itself while nobody answers', async () => {
    const { resolver } = open({ auth: false });
    const [team] = await resolver.resolve(['team@example.test']);
    assert.equal(team?.kind === 'local' && team.targets.length, 2);
  });

  it('throws StoreUnavailable when the store is away too, and asks anew afterwards', async () => {
    const { bus } = open({ auth: false });
    let away = true;
    const directory = {
      ...store.directory,
      lookup: async (query: Parameters<typeof store.directory.lookup>[0]) => {
        if (away) throw new StoreUnavailable('away');
        return store.directory.lookup(query);
      },
    };
    const resolver = new CachedResolver({ bus, clock: systemClock, metrics: new Registry(), directory, host });
    await assert.rejects(resolver.resolve(['alice@example.test']), StoreUnavailable);
    away = false;
    assert.equal((await resolver.resolve(['alice@example.test']))[0]?.kind, 'local');
  });

  it('keeps no more than its cap, the newest', async () => {
    const { resolver, asked } = open({ maxWeight: 10 });
    const addresses = Array.from({ length: 30 }, (_, i) => `u${i}@example.test`);
    await resolver.resolve(addresses);
    await resolver.resolve(addresses.slice(-10));
    assert.equal(asked.length, 1);
    await resolver.resolve(addresses.slice(0, 1));
    assert.equal(asked.length, 2);
  });

  it('more addresses than one request takes are asked in several', async () => {
    const { resolver, asked } = open();
    const results = await resolver.resolve(Array.from({ length: 1_500 }, (_, i) => `many${i}@example.test`));
    assert.equal(results.length, 1_500);
    assert.deepEqual(
      asked.map((addresses) => addresses.length),
      [1_000, 500],
    );
  });

  it('a caller that gives up is let go at once', async () => {
    const { resolver, gate } = open();
    const opened = Promise.withResolvers<void>();
    gate.wait = opened.promise;
    const leaving = new AbortController();
    const asking = resolver.resolve(['alice@example.test'], leaving.signal);
    leaving.abort(new Error('gone'));
    await assert.rejects(asking, /gone/);
    opened.resolve();
  });
});
