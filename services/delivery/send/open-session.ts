import type { Way } from '../../../libs/bus/requests.ts';
import type { HealthReport } from '../../../libs/delivery/limits/health.ts';
import type { Limits } from '../../../libs/delivery/limits/limits.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import type { Login } from '../../../libs/smtp/client/authenticate.ts';
import { connectSmtp } from '../../../libs/smtp/client/connect.ts';
import {
  AuthFailed,
  ConnectionLost,
  SessionAborted,
  SessionRefused,
  SmtpFailure,
  TlsFailed,
} from '../../../libs/smtp/client/failures.ts';
import type { SmtpSession } from '../../../libs/smtp/client/session.ts';
import type { TimeLimits } from '../../../libs/smtp/client/time-limits.ts';
import type { TlsPolicy } from '../../../libs/smtp/client/tls.ts';
import { deliveryLimits } from '../limits.ts';
import type { DeliveryMetrics } from '../metrics.ts';
import type { HeldPermit, Permits } from '../permits.ts';
import { type Connection, connectionKey, type Host, type Sessions } from './sessions.ts';

/** Why no host could be used: what its trace and its sender are told. */
export interface NoSession {
  host: string;
  address: string;
  reply: string;
  /** `permanent`: every host has said that it never takes mail (RFC 7504). */
  kind: 'network' | 'temporary' | 'permanent';
}

export type Opened = { connection: Connection } | { failed: NoSession } | { noPermit: string };

export interface OpenDeps {
  heloName: string;
  sessions: Sessions;
  permits: Pick<Permits, 'take'>;
  health: { saw(what: keyof HealthReport, group: { group: string; limits: Limits }): void };
  loginOf: (route: string) => Login | undefined;
  timeLimits?: Partial<TimeLimits>;
  /** Authorities instead of the ones that Node knows; for tests. */
  ca?: string;
  clock: Clock;
  metrics: DeliveryMetrics;
}

/**
 * A session with the first host that gives one, in their order and each at its addresses in theirs (RFC 5321 §5.1): an idle one, or a new one with a permit of its own. What
 * goes wrong before MAIL says nothing of the mail, so the next address is tried, whether the server was silent, said 4xx or 5xx. Rejects with the store's trouble and
 * with SessionAborted.
 */
export async function openSession(way: Way, deps: OpenDeps, signal: AbortSignal): Promise<Opened> {
  let last: NoSession | undefined;
  let noPermit: string | undefined;
  let allClosed = true;
  const unreachable = new Map<string, Host>();
  const reached = new Set<string>();
  for (const host of way.hosts) {
    const key = connectionKey(host, way);
    const idle = deps.sessions.take(key, host.addresses);
    if (idle !== undefined) return { connection: idle };
    for (const address of host.addresses) {
      const answer = await permitFor(host, deps, signal);
      if ('short' in answer) {
        noPermit = answer.short;
        break;
      }
      const { permit } = answer;
      try {
        const session = await dial(way, host, address, permit, deps, signal);
        const connection = { session, permit, key, group: host.group };
        deps.sessions.opened(connection);
        return { connection };
      } catch (error) {
        permit.release();
        if (!(error instanceof SmtpFailure) || error instanceof SessionAborted) throw error;
        if (error instanceof TlsFailed || error instanceof AuthFailed) reached.add(host.group);
        else unreachable.set(host.group, host);
        allClosed &&= error instanceof SessionRefused && error.reply.code === 521;
        last = { host: host.name, address, ...said(error) };
      }
    }
  }
  for (const [group, host] of unreachable) deps.health.saw(reached.has(group) ? 'failed' : 'unreachable', host);
  // A host whose permit is missing is better than one that has failed: it is asked again soon.
  if (noPermit !== undefined) return { noPermit };
  if (last === undefined)
    return { failed: { host: '', address: '', reply: '451 4.4.4 no host to send to', kind: 'temporary' } };
  return { failed: allClosed ? { ...last, kind: 'permanent' } : last };
}

async function dial(
  way: Way,
  host: Host,
  address: string,
  permit: HeldPermit,
  deps: OpenDeps,
  signal: AbortSignal,
): Promise<SmtpSession> {
  const login = way.route === undefined ? undefined : deps.loginOf(way.route);
  const policy = tlsPolicy(host, deps.ca);
  const connect = (tls: TlsPolicy): Promise<SmtpSession> =>
    connectSmtp({
      host: host.name,
      address,
      port: host.port,
      heloName: deps.heloName,
      protocol: way.protocol,
      tls,
      ...(login !== undefined && { auth: login }),
      ...(deps.timeLimits !== undefined && { timeLimits: deps.timeLimits }),
      signal: AbortSignal.any([signal, permit.lost]),
    });
  try {
    return counted(await connect(policy), deps.metrics);
  } catch (error) {
    count(error, deps.metrics);
    // Postfix, Exim: whoever offers TLS that doesn't work takes plain text where nobody asked for more. Never in the same connection, and never where TLS is required.
    const mayFallBack = policy.mode === 'opportunistic' && policy.verify.kind === 'none';
    if (!(error instanceof TlsFailed) || !error.retryWithoutTls || !mayFallBack) throw error;
  }
  try {
    return counted(await connect({ mode: 'never', verify: { kind: 'none' } }), deps.metrics);
  } catch (error) {
    count(error, deps.metrics);
    throw error;
  }
}

/** A permit, if there is one within a moment: what a connection that is about to end holds, or what another gives back. */
async function permitFor(host: Host, { permits, sessions, clock }: OpenDeps, signal: AbortSignal) {
  const untilMs = clock.monotonicMs() + deliveryLimits.permitWaitMs;
  for (;;) {
    const answer = await permits.take(host.group, host.limits);
    if ('permit' in answer || answer.short !== 'full') return answer;
    if (signal.aborted || clock.monotonicMs() >= untilMs) return answer;
    if (await sessions.giveUpIdle(host.group)) await clock.sleep(releasedMs, signal);
    else await clock.sleep(deliveryLimits.permitPollMs, signal);
  }
}

/** Until a permit that was given back is free. */
const releasedMs = 20;

function tlsPolicy({ tls }: Host, ca: string | undefined): TlsPolicy {
  const { mode, verify } = tls;
  const authorities = ca === undefined ? {} : { ca };
  if (verify.kind !== 'dane') return { mode, verify, ...authorities };
  const records = verify.records.map((record) => ({ ...record, data: Buffer.from(record.data, 'base64') }));
  return { mode, verify: { ...verify, records }, ...authorities };
}

function counted(session: SmtpSession, metrics: DeliveryMetrics): SmtpSession {
  metrics.connections.inc({ result: 'open' });
  const { encrypted, protocol, resultType } = session.tls;
  metrics.tls.inc({ result: resultType ?? (encrypted ? (protocol ?? 'encrypted') : 'none') });
  return session;
}

function count(error: unknown, metrics: DeliveryMetrics): void {
  if (!(error instanceof SmtpFailure)) return;
  metrics.connections.inc({ result: error.stage });
  if (error instanceof TlsFailed) metrics.tls.inc({ result: error.resultType });
}

function said(error: SmtpFailure): Pick<NoSession, 'reply' | 'kind'> {
  const reply =
    error instanceof SessionRefused || error instanceof ConnectionLost || error instanceof AuthFailed
      ? error.reply
      : undefined;
  // The text has the enhanced code too.
  if (reply !== undefined) return { reply: `${reply.code} ${reply.text}`, kind: 'temporary' };
  // RFC 3463 §3.5: 4.4.1 no answer from the host; 4.7.5 a failure of cryptography.
  const enhanced = error instanceof TlsFailed ? '4.7.5' : error instanceof AuthFailed ? '4.7.8' : '4.4.1';
  const kind = error instanceof TlsFailed || error instanceof AuthFailed ? 'temporary' : 'network';
  return { reply: `451 ${enhanced} ${error.message.replace(/\p{Cc}+/gu, ' ').slice(0, 512)}`, kind };
}
