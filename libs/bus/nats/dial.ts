import { connect, errors } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { accessOptions, shownServers } from './access.ts';
import { BusMisconfigured, ServerUnreachable } from './errors.ts';
import type { NatsAccess } from './options.ts';
import { inboxPrefix } from './subjects.ts';

/**
 * One connection, without the client's own reconnecting: the link does that (docs/decisions/nats-bus.md says why).
 * @param name shown in the server's monitoring
 * @throws BusMisconfigured, ServerUnreachable
 */
export async function dial(access: NatsAccess, name: string): Promise<NatsConnection> {
  const given = accessOptions(access);
  const nc = await connect({
    ...given,
    name,
    reconnect: false,
    timeout: handshakeMs,
    pingInterval: pingMs,
    maxPingOut: pingsUnanswered,
    inboxPrefix: inboxPrefix(access.service),
    noAsyncTraces: true,
  }).catch((error: unknown) => {
    throw explained(error, access);
  });
  try {
    checkVersion(nc, access.minimumVersion ?? oldest);
  } catch (error) {
    await nc.close();
    throw error;
  }
  return nc;
}

const handshakeMs = 4000;
/** A frozen server is noticed after (1 + pingsUnanswered) pings: within 9 s. */
const pingMs = 3000;
const pingsUnanswered = 2;
/** The first with several filter subjects for a consumer, which an older one drops in silence. */
const oldest = '2.10.0';

function checkVersion(nc: NatsConnection, minimum: string): void {
  const version = nc.info?.version ?? '0';
  if (compareVersions(version, minimum) >= 0) return;
  throw new BusMisconfigured('tooOld', `nats-server ${version} is too old: Waypost needs ${minimum} or newer`);
}

/** By the numbers; what follows them (`-beta.1`) doesn't count. */
export function compareVersions(one: string, other: string): number {
  const [a, b] = [numbers(one), numbers(other)];
  const at = [0, 1, 2].find((n) => a[n] !== b[n]);
  return at === undefined ? 0 : (a[at] ?? 0) - (b[at] ?? 0);
}

function numbers(version: string): number[] {
  const [, major, minor, patch] = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(version) ?? [];
  return [major, minor, patch].map((part) => Number(part ?? 0));
}

/** What the client's error means, in words. Its own text may carry the address with its password: not repeated. */
function explained(error: unknown, access: NatsAccess): Error {
  const where = `NATS at ${shownServers(access.url)}`;
  const code = codeOf(error);
  if (error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError) {
    return new BusMisconfigured(
      'credentials',
      `${where} refuses our credentials: check the user and password in WAYPOST_NATS_URL, WAYPOST_NATS_TOKEN, WAYPOST_NATS_NKEY or WAYPOST_NATS_CREDS_FILE, and the server's users`,
    );
  }
  if (/^(?:CERT_|ERR_TLS_CERT|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|ERR_OSSL|ERR_SSL)/.test(code)) {
    return new BusMisconfigured(
      'tls',
      `${where}: its certificate is not trusted (${code}): give its authority in WAYPOST_NATS_CA_FILE, and use a host name that the certificate has`,
    );
  }
  const text = error instanceof Error ? error.message : '';
  if (/does not support 'tls'|is not available on this server/.test(text)) {
    return new BusMisconfigured(
      'tls',
      `${where} offers no TLS: use nats:// without WAYPOST_NATS_CA_FILE, or give the server a certificate`,
    );
  }
  const why = reasons.get(code) ?? (error instanceof errors.TimeoutError ? `no answer within ${handshakeMs} ms` : code);
  return new ServerUnreachable(`${where} can't be reached: ${why === '' ? 'the connection was closed' : why}`);
}

const reasons = new Map([
  ['ENOTFOUND', 'the name does not resolve (ENOTFOUND)'],
  ['ENODATA', 'the name does not resolve (ENODATA)'],
  ['EAI_AGAIN', 'the name does not resolve (EAI_AGAIN)'],
  ['ECONNREFUSED', 'nothing listens there (ECONNREFUSED)'],
]);

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('code' in error) return String(error.code);
  return codeOf(error.cause);
}
