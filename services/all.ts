import type { ListenAddress } from '../libs/config/forms.ts';
import type { Config } from '../libs/config/load.ts';
import { openDns } from '../libs/dns/open.ts';
import { startHttpServer } from '../libs/http/server.ts';
import { ParsePool } from '../libs/mail/parse-pool/parse-pool.ts';
import type { Logger } from '../libs/ops/logger.ts';
import { createMetrics } from '../libs/ops/metrics.ts';
import { startOpsServer } from '../libs/ops/server.ts';
import { systemClock } from '../libs/runtime/clock.ts';
import type { Readiness, Service } from '../libs/runtime/service.ts';
import { type TlsMaterial, openTls } from '../libs/runtime/tls.ts';
import type { FirstAccount } from './auth/first-accounts.ts';
import { readApiDocument } from './compose/api-document.ts';
import type { OpenBackends, OpenRequest } from './compose/backends.ts';
import { type Closing, closeAll, closeAtOnce } from './compose/closing.ts';
import { type Services, createServices } from './compose/services.ts';
import type { Ingress } from './ingress/main.ts';
import { type ServiceName, serviceNames } from './service-names.ts';

/** A running process of Waypost. */
export interface Waypost {
  addresses: Addresses;
  /** Made by this start; [] when there were accounts. */
  firstAccounts: readonly FirstAccount[];
  /** Undefined without ingress. */
  tls: Pick<TlsMaterial, 'certFile' | 'selfSigned'> | undefined;
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
 * Starts the named services (all five when none is named) in this process: over SQLite and a bus in memory, or over MongoDB and NATS when the configuration
 * gives their addresses. When a part can't start, those that have are stopped, and the part's error is thrown: DataDirectoryInUse, CannotListen,
 * TlsFilesUnusable, UnsuitableServer…
 */
export async function startWaypost(config: Config, log: Logger, wanted: readonly ServiceName[] = []): Promise<Waypost> {
  const opened: Closing[] = [];
  try {
    return await start(config, log, wanted.length === 0 ? serviceNames : wanted, opened);
  } catch (error) {
    await closeAll(opened, 0);
    throw error;
  }
}

async function start(config: Config, log: Logger, wanted: readonly ServiceName[], opened: Closing[]): Promise<Waypost> {
  const progress: Progress = { reason: 'starting' };
  const waitsFor = (told: string): void => void (progress.reason = `starting: ${told}`);
  const base = { config, clock: systemClock, log, metrics: createMetrics() };
  const request: OpenRequest = { ...base, services: wanted, opened, waitsFor };
  const readiness = (): Record<string, Readiness> => readinessOf(wanted, progress);
  const startOps = () =>
    startIfOn(config.opsListen, opened, (listen) => startOpsServer({ ...request, listen, readiness }));
  // Before the backends of a cluster, which may take their time: a probe sees a process that lives and isn't ready yet. A data directory that is in use
  // says more than a port that is.
  const isCluster = config.mongodbUrl !== undefined;
  const early = isCluster ? await startOps() : undefined;
  const { services, tls } = await compose(request);
  const ops = isCluster ? early : await startOps();

  // What clients are connected to; closed first and side by side, or an event stream would hold up the HTTP server that it came by.
  const edge: Closing[] = [];
  for (const service of services.inner) await startService(service, opened);
  opened.push((graceMs) => closeAtOnce(edge, graceMs));
  for (const service of services.outer) await startService(service, edge);
  const firstAccounts = (await services.auth?.ensureFirstAccounts()) ?? [];
  // Clients come last: what answers them is there.
  const routers = services.all.flatMap((service) => (service.router === undefined ? [] : [service.router]));
  const httpListen = routers.length === 0 ? 'off' : config.httpListen;
  const http = await startIfOn(httpListen, edge, (listen) =>
    startHttpServer({ ...request, listen, routers, document: readApiDocument }),
  );
  const { ingress } = services;
  if (ingress !== undefined) await startService(ingress, edge);
  // Not before all of it answers: who sees it ready sends requests.
  progress.running = services.all;
  return {
    addresses: { http: http?.address, ops: ops?.address, ...smtpAddresses(ingress) },
    firstAccounts,
    tls,
    stop: (graceMs) => closeAll(opened, graceMs),
  };
}

/** The services as a start makes them, not started: for what is said of them. */
export async function composeServices(config: Config, log: Logger, opened: Closing[]): Promise<Services> {
  const request = { config, clock: systemClock, log, metrics: createMetrics(), services: serviceNames, opened };
  return (await compose(request)).services;
}

async function compose(request: OpenRequest): Promise<{ services: Services; tls: TlsMaterial | undefined }> {
  const { config, opened } = request;
  const backends = await (await backendsFor(config))(request);
  // Only what speaks SMTP shows a certificate.
  const tls = request.services.includes('ingress') ? await openTls(request) : undefined;
  if (tls !== undefined) opened.push(() => tls.close());
  const parsePool = new ParsePool();
  opened.push(() => parsePool.close());
  const dns = await openDns(request);
  opened.push(async () => dns.close());
  return { services: await createServices({ ...request, backends, tls, parsePool, dns }), tls };
}

async function backendsFor(config: Config): Promise<OpenBackends> {
  if (config.mongodbUrl === undefined) return (await import('./compose/embedded-backends.ts')).openEmbeddedBackends;
  return (await import('./compose/cluster-backends.ts')).openClusterBackends;
}

interface Progress {
  /** Why it isn't ready yet. */
  reason: string;
  /** When it is. */
  running?: readonly Service[];
}

function readinessOf(wanted: readonly ServiceName[], { running, reason }: Progress): Record<string, Readiness> {
  if (running !== undefined) return Object.fromEntries(running.map((service) => [service.name, service.readiness()]));
  const starting: Readiness = { ready: false, degraded: [], reason };
  return Object.fromEntries(wanted.map((name) => [name, starting]));
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
