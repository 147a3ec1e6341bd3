import type { Registry } from 'prom-client';
import { PartitionWakes } from '../../libs/accept/partition-wakes.ts';
import { Ranks } from '../../libs/accept/ranks.ts';
import type { Blobs } from '../../libs/blobs/port.ts';
import type { Bus } from '../../libs/bus/port.ts';
import type { ListenAddress } from '../../libs/config/forms.ts';
import type { Config } from '../../libs/config/load.ts';
import { CachedResolver } from '../../libs/directory/cached-resolver.ts';
import { createVerifier, type Verifier } from '../../libs/directory/verifier.ts';
import type { Logger } from '../../libs/ops/logger.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import { listenOn } from '../../libs/runtime/listen.ts';
import { isLoopbackHost } from '../../libs/runtime/loopback.ts';
import { createNetworkList } from '../../libs/runtime/network-list.ts';
import type { Service } from '../../libs/runtime/service.ts';
import { StoreHealth } from '../../libs/store/health.ts';
import type { Directory } from '../../libs/store/ports/directory.ts';
import type { Mailboxes } from '../../libs/store/ports/mailboxes.ts';
import type { Spool } from '../../libs/store/ports/spool.ts';
import { Admission } from './admission.ts';
import type { IngressContext, ListenerKind } from './context.ts';
import { createForwarding } from './forwarding.ts';
import { DataMemory } from './data-memory.ts';
import { defaultLimits, type IngressLimits } from './limits.ts';
import { ingressMetrics } from './metrics.ts';
import { SenderRights } from '../../libs/directory/sender-rights.ts';
import { IngressServer } from './server.ts';
import { SpoolGate } from './spool-gate.ts';
import { srsSecrets } from './srs-secrets.ts';

export type ListenerName = 'mx' | 'submission' | 'submissions' | 'lmtp';

/** The certificate in use, and word of a new one. */
export interface Certificates {
  current(): { cert: string | Buffer; key: string | Buffer };
  onChange(listener: () => void): void;
}

export interface IngressDeps {
  config: Config;
  clock: Clock;
  log: Logger;
  metrics: Registry;
  bus: Bus;
  directory: Directory;
  spool: Spool;
  blobs: Blobs;
  mailboxes?: Pick<Mailboxes, 'usage'>;
  tls: Certificates;
  /** One verifier can serve SMTP and HTTP; default one of its own. */
  verifier?: Pick<Verifier, 'password' | 'isGood'>;
  /** Default: limits.ts. */
  limits?: Partial<IngressLimits>;
}

export interface Ingress extends Service {
  /** Where a listener listens; undefined when it is off or not started. */
  address(listener: ListenerName): ListenAddress | undefined;
}

/** The service that takes mail in: MX, submission, implicit TLS submission and LMTP. A message that it answers with 250 is on stable storage. */
export function createIngress(deps: IngressDeps): Ingress {
  const { config, log, tls } = deps;
  const { context, resolver } = createContext(deps);
  const isProxy = createNetworkList(config.proxyProtocolNetworks);
  const admission = new Admission(context.limits, uncounted(deps));
  const listeners = new Map<ListenerName, { server: IngressServer; address: ListenAddress }>();
  let state: 'new' | 'running' | 'stopped' = 'new';
  // Without traffic no accept would tell that the store is gone.
  const health = new StoreHealth({
    ...deps,
    probe: (timeoutMs) => deps.spool.probe(timeoutMs),
    onProbe: (good) => {
      if (!good && context.gate.open) context.gate.shut();
    },
  });
  tls.onChange(() => {
    for (const { server } of listeners.values()) renewCertificate(server, tls, log);
  });
  return {
    name: 'ingress',
    async start() {
      context.forwarding = createForwarding(config.domain, await srsSecrets(config));
      if (!context.forwarding)
        log.warn(
          'without WAYPOST_SRS_SECRET aliases forward mail under its own sender, which SPF of many domains forbids',
        );
      if (!(await deps.spool.probe(firstProbeTimeoutMs).catch(() => false))) context.gate.shut();
      try {
        for (const { name, kind, address } of wanted(config)) {
          const certificate = tls.current();
          const server = new IngressServer(
            { kind, implicitTls: name === 'submissions', certificate, admission, isProxy },
            context,
          );
          listeners.set(name, { server, address: await listenOn(server.netServer, address, { backlog }) });
          log.info({ listener: name, address: listeners.get(name)?.address }, 'listening');
        }
      } catch (error) {
        await drainAll(listeners, 0);
        throw error;
      }
      health.start();
      state = 'running';
    },
    async stop(graceMs) {
      state = 'stopped';
      await Promise.all([drainAll(listeners, graceMs), health.stop()]);
      await context.accept.wakes.settled();
      await context.gate.close();
      await resolver.close();
    },
    readiness() {
      if (state !== 'running')
        return { ready: false, degraded: [], reason: state === 'new' ? 'not started' : 'shutting down' };
      const degraded = deps.bus.status() === 'up' ? [] : ['nats'];
      return context.gate.open
        ? { ready: true, degraded }
        : { ready: false, degraded, reason: 'the spool takes no writes' };
    },
    address: (listener) => listeners.get(listener)?.address,
  };
}

/** Connections that the kernel keeps for us: with Node's default, a thousand clients at once leave some hanging. */
const backlog = 4096;
const firstProbeTimeoutMs = 5000;

function createContext(deps: IngressDeps): { context: IngressContext; resolver: CachedResolver } {
  const { config, clock, log, metrics, bus, directory, spool, blobs, mailboxes } = deps;
  const limits = { ...defaultLimits, ...deps.limits };
  const dataMemory = new DataMemory(limits.maxDataBytes);
  const host = { domain: config.domain, hostname: config.hostname };
  const resolver = new CachedResolver({ directory, host, bus, clock, metrics, ...(mailboxes && { mailboxes }) });
  const context: IngressContext = {
    hostname: config.hostname,
    maxMessageBytes: config.maxMessageBytes,
    schedules: config,
    limits,
    clock,
    log,
    metrics: ingressMetrics(metrics, () => dataMemory.heldBytes),
    resolver,
    verifier: deps.verifier ?? createVerifier({ bus, directory, clock, metrics }),
    senderRights: new SenderRights(directory, clock),
    accept: { spool, bus, wakes: new PartitionWakes(bus, log) },
    ranks: new Ranks(),
    blobs,
    dataMemory,
    gate: new SpoolGate({ spool, clock, log }),
    destinations: config,
    isTrusted: createNetworkList(config.trustedNetworks),
    forwarding: undefined,
  };
  return { context, resolver };
}

function wanted(config: Config): { name: ListenerName; kind: ListenerKind; address: ListenAddress }[] {
  const all = [
    { name: 'mx', kind: 'mx', address: config.mxListen },
    { name: 'submission', kind: 'submission', address: config.submissionListen },
    { name: 'submissions', kind: 'submission', address: config.submissionsListen },
    { name: 'lmtp', kind: 'lmtp', address: config.lmtpListen },
  ] as const;
  return all.flatMap(({ name, kind, address }) => (address === 'off' ? [] : [{ name, kind, address }]));
}

/** Clients that share an address because they are ours: this machine, and networks that the operator trusts. */
function uncounted({ config, limits }: IngressDeps): (address: string) => boolean {
  // A limit that was given is meant, also for this machine.
  if (limits?.maxConnectionsPerNetwork !== undefined) return () => false;
  const isTrusted = createNetworkList(config.trustedNetworks);
  return (address) => isLoopbackHost(address) || isTrusted(address);
}

function renewCertificate(server: IngressServer, tls: Certificates, log: Logger): void {
  try {
    server.updateSecureContext({ ...tls.current() });
    log.info('the TLS certificate has changed');
  } catch (error) {
    log.error({ err: error }, 'the new TLS certificate is no good, the old one stays');
  }
}

async function drainAll(listeners: ReadonlyMap<string, { server: IngressServer }>, graceMs: number): Promise<void> {
  await Promise.all([...listeners.values()].map(({ server }) => server.drain(graceMs)));
}
