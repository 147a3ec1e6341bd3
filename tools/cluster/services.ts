import { join } from 'node:path';
import { z } from 'zod';
import type { ListenAddress } from '../../libs/config/forms.ts';
import type { Addresses } from '../../services/all.ts';
import type { StartMessage } from '../../services/start-message.ts';
import type { ServiceName } from '../../services/service-names.ts';
import { servingFlags } from '../setup/become.mjs';
import { compileCache } from '../setup/compile-cache.mjs';
import { projectRoot } from '../source-files.ts';
import type { ClusterBackends } from './backends.ts';
import type { ClusterPlan, Copy } from './plan.ts';
import { type Surroundings, SupervisedProcess } from './supervised-process.ts';

/** One process of a service, and where it listens now: a free port is another one when it was started again. */
export interface RunningCopy {
  copy: Copy;
  process: SupervisedProcess;
  /** Undefined until it is ready, and while it is away. */
  told: () => StartMessage | undefined;
}

/** A process of one service, not started yet. */
export function serviceProcess(
  copy: Copy,
  plan: ClusterPlan,
  backends: Pick<ClusterBackends, 'natsUrl' | 'rightsFolder'>,
  around: Surroundings,
): RunningCopy {
  let told: { by: number | undefined; message: StartMessage } | undefined;
  const process: SupervisedProcess = new SupervisedProcess(
    {
      name: copy.name,
      command: globalThis.process.execPath,
      args: [...servingFlags, join(projectRoot, 'services/main.ts'), 'start', copy.service],
      env: serviceEnvironment(copy, plan, backends),
      isService: true,
      whenReady: async (first) => {
        const message = startMessage(await first);
        told = { by: process.pid, message };
      },
    },
    around,
  );
  return { copy, process, told: () => (told?.by === process.pid ? told?.message : undefined) };
}

/** Where a user of deploy/rights reaches MongoDB and NATS. */
export function accessEnvironment(
  user: string,
  { natsUrl, rightsFolder }: Pick<ClusterBackends, 'natsUrl' | 'rightsFolder'>,
): Record<string, string> {
  return {
    WAYPOST_MONGODB_URL_FILE: join(rightsFolder, `${user}.mongodb-url`),
    WAYPOST_NATS_URL: natsUrl,
    WAYPOST_NATS_NKEY_FILE: join(rightsFolder, `${user}.nkey`),
  };
}

function serviceEnvironment(
  { service, opsListen, first }: Copy,
  { config, folder }: ClusterPlan,
  backends: Pick<ClusterBackends, 'natsUrl' | 'rightsFolder'>,
): Record<string, string | undefined> {
  return {
    ...process.env,
    NODE_COMPILE_CACHE: compileCache(projectRoot),
    ...accessEnvironment(service, backends),
    WAYPOST_DATA_DIR: join(folder, 'waypost'),
    WAYPOST_HTTP_LISTEN: '127.0.0.1:0',
    WAYPOST_OPS_LISTEN: opsListen === 'off' ? 'off' : text(opsListen),
    // The path proxy.
    WAYPOST_TRUSTED_PROXIES: [...config.trustedProxies, '127.0.0.1'].join(','),
    ...(first ? {} : furtherSmtp(config)),
  };
}

function furtherSmtp(config: ClusterPlan['config']): Record<string, string> {
  const elsewhere = (given: ListenAddress | 'off'): string =>
    given === 'off' ? 'off' : text({ host: given.host, port: 0 });
  return {
    WAYPOST_MX_LISTEN: elsewhere(config.mxListen),
    WAYPOST_SUBMISSION_LISTEN: elsewhere(config.submissionListen),
    WAYPOST_SUBMISSIONS_LISTEN: elsewhere(config.submissionsListen),
    WAYPOST_LMTP_LISTEN: elsewhere(config.lmtpListen),
  };
}

const text = ({ host, port }: ListenAddress): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;

const address = z.object({ host: z.string(), port: z.number() }).optional();
const schema = z.object({
  ready: z.literal(true),
  addresses: z.object({
    http: address,
    ops: address,
    mx: address,
    submission: address,
    submissions: address,
    lmtp: address,
  }),
  firstAccounts: z.array(
    z.object({ address: z.string(), password: z.string(), given: z.boolean(), admin: z.boolean() }),
  ),
  tls: z.object({ certFile: z.string(), selfSigned: z.boolean() }).optional(),
});

/** What a service sends when it is ready (services/start-message.ts): JSON drops what is undefined. */
function startMessage(message: unknown): StartMessage {
  const { addresses, tls, ...rest } = schema.parse(message);
  const { http, ops, mx, submission, submissions, lmtp } = addresses;
  return { ...rest, tls, addresses: { http, ops, mx, submission, submissions, lmtp } };
}

/** Addresses of all first copies as one: what describeStart shows. HTTP is the proxy's. */
export function mergedAddresses(running: readonly RunningCopy[], http: ListenAddress | undefined): Addresses {
  const of = (service: ServiceName): Addresses | undefined =>
    running.find(({ copy }) => copy.service === service && copy.first)?.told()?.addresses;
  const ingress = of('ingress');
  return {
    http,
    ops: undefined,
    mx: ingress?.mx,
    submission: ingress?.submission,
    submissions: ingress?.submissions,
    lmtp: ingress?.lmtp,
  };
}
