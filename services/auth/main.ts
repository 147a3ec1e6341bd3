import { availableParallelism } from 'node:os';
import type { Subscription } from '../../libs/bus/port.ts';
import { resolveAddresses } from '../../libs/directory/resolve.ts';
import { type MountOptions, mountRoutes } from '../../libs/http/mount-routes.ts';
import { createSecretBox } from '../../libs/runtime/secret-box.ts';
import type { Readiness, Service } from '../../libs/runtime/service.ts';
import { StoreHealth } from '../../libs/store/health.ts';
import { answerAccounts } from './account-responders.ts';
import type { AuthContext, AuthDeps } from './context.ts';
import { type FirstAccount, ensureFirstAccounts } from './first-accounts.ts';
import { HashingSlots } from './hashing-slots.ts';
import { aliasRoutes } from './http/aliases.ts';
import { dkimRoutes } from './http/dkim.ts';
import { domainRoutes } from './http/domains.ts';
import { tokenRoutes } from './http/tokens.ts';
import { createLoginLimiter } from './login-limiter.ts';
import { verifyPassword, verifyToken } from './logins.ts';
import { authMetrics } from './metrics.ts';
import { createPasswords } from './passwords.ts';
import { quotaCopier } from './quota-copy.ts';
import { respond } from './respond.ts';
import { startSweep } from './sweep.ts';

export interface AuthService extends Service {
  /** To be called once `start` has resolved: makes the first accounts of an empty directory and answers with them; [] later. */
  ensureFirstAccounts(): Promise<readonly FirstAccount[]>;
}

/** Domains, accounts, aliases, credentials, tokens and login limits; answers the other services over the bus. */
export function createAuth(deps: AuthDeps & Pick<MountOptions, 'authenticate' | 'bytes'>): AuthService {
  const context = createContext(deps);
  const routes = [...domainRoutes(context), ...dkimRoutes(context), ...aliasRoutes(context), ...tokenRoutes(context)];
  const router = mountRoutes(routes, deps);
  const stopping = new AbortController();
  let answering: Subscription[] = [];
  let sweeping: Promise<void> | undefined;
  const health = new StoreHealth({ ...deps, probe: () => answersReads(deps) });

  return {
    name: 'auth',
    router,
    start: async () => {
      answering = [...answerLogins(context), ...answerAccounts(context)];
      sweeping = startSweep(context, deps.loginLimits, stopping.signal);
      health.start();
    },
    stop: async () => {
      stopping.abort();
      await Promise.all(answering.map((subscription) => subscription.close()));
      await Promise.all([sweeping, health.stop()]);
    },
    readiness: () => ({ ...fitness(answering.length > 0, stopping.signal.aborted, health), degraded: degraded(deps) }),
    ensureFirstAccounts: () => ensureFirstAccounts(context),
  };
}

function fitness(isRunning: boolean, isStopping: boolean, health: StoreHealth): Pick<Readiness, 'ready' | 'reason'> {
  if (!isRunning || isStopping) return { ready: false, reason: isStopping ? 'shutting down' : 'not started' };
  return health.good ? { ready: true } : { ready: false, reason: 'the store does not answer' };
}

const degraded = ({ bus }: AuthDeps): string[] => (bus.status() === 'down' ? ['nats'] : []);

/** Without a majority there is no primary, and a read of what is committed fails too; auth may write only what is its own. */
async function answersReads({ directory }: AuthDeps): Promise<boolean> {
  await directory.administrators(1);
  return true;
}

function createContext({ metrics: registry, loginLimits, ...deps }: AuthDeps): AuthContext {
  const slots = new HashingSlots({ concurrency: hashingConcurrency(), maxWaiting: maxWaitingToHash });
  const metrics = authMetrics(registry, () => ({ waiting: slots.waiting }));
  return {
    ...deps,
    metrics,
    slots,
    secrets: createSecretBox(deps.config.secretsKeys),
    limiter: createLoginLimiter({ limits: loginLimits, clock: deps.clock }),
    passwords: createPasswords(metrics.passwordHashes),
    copyQuotas: quotaCopier({ ...deps, metrics }),
  };
}

function answerLogins(context: AuthContext): Subscription[] {
  const { bus, directory, mailboxes, config } = context;
  const host = { domain: config.domain, hostname: config.hostname };
  return [
    respond(bus, 'auth.verify', (body, signal) => verifyPassword(context, body, signal)),
    respond(bus, 'auth.token', (body) => verifyToken(context, body)),
    respond(bus, 'directory.resolve', async ({ addresses }) => ({
      results: await resolveAddresses(addresses, { directory, mailboxes, host }),
    })),
  ];
}

/** Each computation holds one of libuv's four threads, which files and DNS need too. */
const hashingConcurrency = (): number => Math.max(1, Math.min(3, availableParallelism() - 1));

/** At 12 ms each a few seconds of waiting, within the time that who asks will wait. */
const maxWaitingToHash = 128;
