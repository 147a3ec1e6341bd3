import { join } from 'node:path';
import type { Registry } from 'prom-client';
import { openFileBlobs } from '../libs/blobs/file.ts';
import type { Blobs } from '../libs/blobs/port.ts';
import { createMemoryBus } from '../libs/bus/memory/bus.ts';
import type { Bus } from '../libs/bus/port.ts';
import type { ListenAddress } from '../libs/config/forms.ts';
import type { Config } from '../libs/config/load.ts';
import { createVerifier } from '../libs/directory/verifier.ts';
import { createAuthenticate } from '../libs/http/authenticate.ts';
import { createHttpBytes } from '../libs/http/http-bytes.ts';
import { startHttpServer } from '../libs/http/server.ts';
import { ParsePool } from '../libs/mail/parse-pool/parse-pool.ts';
import type { Logger } from '../libs/ops/logger.ts';
import { createMetrics } from '../libs/ops/metrics.ts';
import { startOpsServer } from '../libs/ops/server.ts';
import { type Clock, systemClock } from '../libs/runtime/clock.ts';
import { newId } from '../libs/runtime/ids.ts';
import type { Readiness, Service } from '../libs/runtime/service.ts';
import { type TlsMaterial, openTls } from '../libs/runtime/tls.ts';
import { type SqliteStore, openSqliteStore } from '../libs/store/sqlite/open.ts';
import type { FirstAccount } from './auth/first-accounts.ts';
import { createAuth } from './auth/main.ts';
import { createDelivery } from './delivery/main.ts';
import { type Ingress, createIngress } from './ingress/main.ts';
import { createMailbox } from './mailbox/main.ts';
import { createQueue } from './queue/main.ts';
import { type ServiceName, serviceNames } from './service-names.ts';

/** A running process of Waypost. */
export interface Waypost {
  addresses: Addresses;
  /** Made by this start; [] when there were accounts. */
  firstAccounts: readonly FirstAccount[];
  tls: Pick<TlsMaterial, 'certFile' | 'selfSigned'>;
  /** Drains and closes everything; what is under way has `graceMs`. */
  stop(graceMs: number): Promise<void>;
}

/** Where it listens, with the ports that were really taken; undefined: off. */
export interface Addresses {
  http: ListenAddress | undefined;
  ops: ListenAddress | undefined;
  mx: ListenAddress | undefined;
  submission: ListenAddress | undefined;
  submissions: ListenAddress | undefined;
  lmtp: ListenAddress | undefined;
}

/**
 * Starts the named services (all five when none is named) in this process over one SQLite store and a bus in memory. When a part can't start, those that
 * have are stopped, and the part's error is thrown: DataDirectoryInUse, CannotListen, TlsFilesUnusable…
 */
export async function startEmbedded(
  config: Config,
  log: Logger,
  wanted: readonly ServiceName[] = [],
): Promise<Waypost> {
  const opened: Closing[] = [];
  try {
    return await start(config, log, wanted.length === 0 ? serviceNames : wanted, opened);
  } catch (error) {
    await closeAll(opened, 0);
    throw error;
  }
}

/** Closes one part; parts are closed in the reverse order of their start. */
type Closing = (graceMs: number) => Promise<void>;

async function start(config: Config, log: Logger, wanted: readonly ServiceName[], opened: Closing[]): Promise<Waypost> {
  const parts = await openParts(config, log, opened);
  const services = createServices(parts, wanted);
  const readiness = (): Record<string, Readiness> =>
    Object.fromEntries(services.all.map((service) => [service.name, service.readiness()]));
  // First, so that a probe sees a process that lives and isn't ready yet.
  const ops = await startIfOn(config.opsListen, opened, (listen) => startOpsServer({ ...parts, listen, readiness }));

  // What clients are connected to; closed first and side by side, or an event stream would hold up the HTTP server that it came by.
  const edge: Closing[] = [];
  for (const service of services.inner) await startService(service, opened);
  opened.push((graceMs) => closeAtOnce(edge, graceMs));
  for (const service of services.outer) await startService(service, edge);
  const firstAccounts = (await services.auth?.ensureFirstAccounts()) ?? [];
  const routers = services.all.flatMap((service) => (service.router === undefined ? [] : [service.router]));
  // Clients come last: what answers them is there.
  const http = await startIfOn(config.httpListen, edge, (listen) => startHttpServer({ ...parts, listen, routers }));
  const { ingress } = services;
  if (ingress !== undefined) await startService(ingress, edge);
  return {
    addresses: { http: http?.address, ops: ops?.address, ...smtpAddresses(ingress) },
    firstAccounts,
    tls: parts.tls,
    stop: (graceMs) => closeAll(opened, graceMs),
  };
}

interface Parts {
  config: Config;
  clock: Clock;
  log: Logger;
  metrics: Registry;
  store: SqliteStore;
  blobs: Blobs;
  bus: Bus;
  tls: TlsMaterial;
  parsePool: ParsePool;
}

async function openParts(config: Config, log: Logger, opened: Closing[]): Promise<Parts> {
  const clock = systemClock;
  const metrics = createMetrics();
  const store = await openSqliteStore({ dataDir: config.dataDir, log, metrics });
  opened.push(() => store.close());
  const blobs = await openBlobs(config);
  const tls = await openTls({ config, clock, log });
  opened.push(() => tls.close());
  const bus = createMemoryBus({ source: `/waypost/all/${newId()}`, clock, log, metrics });
  opened.push(() => bus.close());
  const parsePool = new ParsePool();
  opened.push(() => parsePool.close());
  return { config, clock, log, metrics, store, blobs, bus, tls, parsePool };
}

function openBlobs(config: Config): Promise<Blobs> {
  const url = config.blobsUrl ?? `file:${join(config.dataDir, 'blobs')}`;
  if (!url.startsWith('file:')) throw new NotInThisRelease(`WAYPOST_BLOBS_URL: only file: is there yet`);
  return openFileBlobs(url.slice('file:'.length).replace(/^\/\/(?=\/)/, ''));
}

/** The configuration asks for what a later release will bring. */
export class NotInThisRelease extends Error {
  override readonly name = 'NotInThisRelease';
}

function createServices(parts: Parts, wanted: readonly ServiceName[]) {
  const { store, ...rest } = parts;
  const verifier = createVerifier({ ...parts, directory: store.directory });
  const authenticate = createAuthenticate({ verifier, config: parts.config });
  const bytes = createHttpBytes(parts.metrics);
  const deps = { ...rest, ...store, verifier, authenticate, bytes };
  const of = <T>(name: ServiceName, create: (own: typeof deps) => T): T | undefined =>
    wanted.includes(name) ? create({ ...deps, log: parts.log.child({ service: name }) }) : undefined;
  const auth = of('auth', createAuth);
  const ingress = of('ingress', createIngress);
  const inner = present([auth, of('queue', createQueue)]);
  const outer = present([of('mailbox', createMailbox), of('delivery', createDelivery)]);
  return { auth, ingress, inner, outer, all: present([...inner, ...outer, ingress]) };
}

function present(services: readonly (Service | undefined)[]): readonly Service[] {
  return services.filter((service) => service !== undefined);
}

async function startService(service: Service, opened: Closing[]): Promise<void> {
  opened.push((graceMs) => service.stop(graceMs));
  await service.start();
}

async function startIfOn<T extends { close: Closing }>(
  listen: ListenAddress | 'off',
  opened: Closing[],
  startServer: (listen: ListenAddress) => Promise<T>,
): Promise<T | undefined> {
  if (listen === 'off') return undefined;
  const server = await startServer(listen);
  opened.push((graceMs) => server.close(graceMs));
  return server;
}

function smtpAddresses(ingress: Ingress | undefined): Pick<Addresses, 'mx' | 'submission' | 'submissions' | 'lmtp'> {
  return {
    mx: ingress?.address('mx'),
    submission: ingress?.address('submission'),
    submissions: ingress?.address('submissions'),
    lmtp: ingress?.address('lmtp'),
  };
}

/** In the reverse order of their start; the time that one takes is missing to the next. One that fails doesn't keep the others from closing. */
async function closeAll(opened: Closing[], graceMs: number): Promise<void> {
  const deadlineMs = performance.now() + graceMs;
  const failures: unknown[] = [];
  for (let close = opened.pop(); close !== undefined; close = opened.pop()) {
    await close(Math.max(0, deadlineMs - performance.now())).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw new AggregateError(failures, 'parts could not be closed');
}

/** What clients are connected to drains side by side, all with the same time. */
async function closeAtOnce(edge: Closing[], graceMs: number): Promise<void> {
  await Promise.all(edge.map((close) => close(graceMs)));
}
