import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import type { EventData, EventType } from '../../libs/bus/events.ts';
import { createMemoryBus } from '../../libs/bus/memory/bus.ts';
import type { Bus } from '../../libs/bus/port.ts';
import type { Verified } from '../../libs/bus/requests.ts';
import { loadConfig } from '../../libs/config/load.ts';
import { createVerifier } from '../../libs/directory/verifier.ts';
import { createAuthenticate } from '../../libs/http/authenticate.ts';
import { createHttpBytes } from '../../libs/http/http-bytes.ts';
import { mountRoutes } from '../../libs/http/mount-routes.ts';
import { startHttpServer } from '../../libs/http/server.ts';
import { type Clock, systemClock } from '../../libs/runtime/clock.ts';
import { openSqliteStore, type SqliteStore } from '../../libs/store/sqlite/open.ts';
import { type AuthService, createAuth } from '../../services/auth/main.ts';
import { accountRoutes } from '../../services/mailbox/http/accounts.ts';

/** auth over the memory bus and a real store in a folder of its own; the account routes of mailbox beside it. Time is moved by hand. */
export interface AuthFixture {
  auth: AuthService;
  bus: Bus;
  store: SqliteStore;
  metrics: Registry;
  clock: Clock & { advance(ms: number): void };
  /** Of `admin@example.test`, `alice@` and `bob@`. */
  passwords: Readonly<Record<'admin' | 'alice' | 'bob', string>>;
  events: { type: EventType; data: EventData<EventType> }[];
  /** As another service would ask. */
  login(username: string, password: string, remoteAddress?: string): Promise<Verified>;
  /** `who`: a sample's name, `user:password`, a token, or undefined. */
  api(
    method: string,
    path: string,
    who?: string,
    body?: unknown,
  ): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }>;
  value(metric: string, labels?: Readonly<Record<string, string>>): Promise<number>;
  close(): Promise<void>;
}

export interface AuthFixtureOptions {
  env?: Readonly<Record<string, string>>;
  /** What is in the store before the first start. */
  prepare?: (store: SqliteStore) => Promise<void>;
}

export async function openAuth({ env = {}, prepare }: AuthFixtureOptions = {}): Promise<AuthFixture> {
  const dataDir = await mkdtemp(join(tmpdir(), 'waypost-auth-'));
  const store = await openSqliteStore({ dataDir });
  await prepare?.(store);
  const metrics = new Registry();
  const log = pino({ level: 'silent' });
  const clock = movableClock();
  const bus = createMemoryBus({ source: '/waypost/test', clock, log, metrics });
  const config = loadConfig({ WAYPOST_DATA_DIR: dataDir, ...env });
  const events = recordEvents(bus);
  const verifier = createVerifier({ bus, directory: store.directory, clock, metrics });
  const authenticate = createAuthenticate({ verifier, config });
  const http = { authenticate, log, metrics, bytes: createHttpBytes(metrics) };
  const auth = createAuth({ ...store, ...http, config, clock, bus });
  await auth.start();
  const passwords = passwordsOf(await auth.ensureFirstAccounts());
  const accounts = mountRoutes(accountRoutes({ bus, config }), { ...http, checkReplies: true });
  assert.ok(auth.router);
  const listen = { host: '127.0.0.1', port: 0 };
  const server = await startHttpServer({ listen, routers: [auth.router, accounts], log, metrics });

  return {
    auth,
    bus,
    store,
    metrics,
    clock,
    passwords,
    events,
    login: (username, password, remoteAddress = '192.0.2.1') =>
      bus.request('auth.verify', { username, password, remoteAddress, via: 'smtp' }, { timeoutMs: 10_000 }),
    api: async (method, path, who, body) => {
      const headers = new Headers(who === undefined ? {} : { authorization: authorization(who, passwords) });
      if (body !== undefined) headers.set('content-type', 'application/json');
      const url = `http://${server.address.host}:${server.address.port}${path}`;
      const response = await fetch(url, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, body: text === '' ? {} : JSON.parse(text), headers: response.headers };
    },
    value: async (name, labels = {}) => {
      const metric = await metrics.getSingleMetric(name)?.get();
      const fits = (of: Readonly<Record<string, unknown>>) =>
        Object.entries(labels).every(([key, value]) => of[key] === value);
      return (metric?.values ?? []).filter((one) => fits(one.labels)).reduce((sum, one) => sum + one.value, 0);
    },
    close: async () => {
      await server.close(1_000);
      await auth.stop(1_000);
      await bus.close();
      await store.close();
      await rm(dataDir, { recursive: true });
    },
  };
}

/** What `find` finds, once it does: events come in their own time. */
export async function eventually<T>(find: () => T | undefined): Promise<T> {
  for (;;) {
    const found = find();
    if (found !== undefined) return found;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function movableClock(): AuthFixture['clock'] {
  let aheadMs = 0;
  return {
    nowMs: () => systemClock.nowMs() + aheadMs,
    monotonicMs: () => systemClock.monotonicMs() + aheadMs,
    sleep: (ms, signal) => systemClock.sleep(ms, signal),
    advance: (ms) => {
      aheadMs += ms;
    },
  };
}

function recordEvents(bus: Bus): AuthFixture['events'] {
  const events: AuthFixture['events'] = [];
  bus.subscribe(['account.changed', 'login.failed'], ({ type, data }) => {
    events.push({ type, data });
  });
  return events;
}

function passwordsOf(made: readonly { address: string; password: string }[]): AuthFixture['passwords'] {
  const of = (name: string): string => made.find(({ address }) => address === `${name}@example.test`)?.password ?? '';
  return { admin: of('admin'), alice: of('alice'), bob: of('bob') };
}

function authorization(who: string, passwords: AuthFixture['passwords']): string {
  if (who.startsWith('wp_')) return `Bearer ${who}`;
  const known = Object.entries(passwords).find(([name]) => name === who);
  const login = known === undefined ? who : `${known[0]}@example.test:${known[1]}`;
  return `Basic ${Buffer.from(login).toString('base64')}`;
}
