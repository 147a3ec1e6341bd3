import { readFileSync } from 'node:fs';
import { credsAuthenticator, nkeyAuthenticator } from '@nats-io/transport-node';
import type { Authenticator, NodeConnectionOptions } from '@nats-io/transport-node';
import { BusMisconfigured } from './errors.ts';
import type { NatsAccess } from './options.ts';

/** Hosts, credentials and TLS as the client takes them. Files are read each time: a renewed one is used by the next connection. */
export type AccessOptions = Pick<
  NodeConnectionOptions,
  'servers' | 'user' | 'pass' | 'token' | 'authenticator' | 'tls'
>;

/** @throws BusMisconfigured for an address, a file or a seed that can't be used */
export function accessOptions(access: NatsAccess): AccessOptions {
  const servers = serversOf(access.url);
  const named = servers.find(({ username }) => username !== '');
  const ca = access.caFile === undefined ? undefined : readText('WAYPOST_NATS_CA_FILE', access.caFile);
  const encrypted = ca !== undefined || servers.some(({ protocol }) => protocol === 'tls:');
  return {
    servers: servers.map(({ host, port }) => `${host}:${port}`),
    ...(encrypted ? { tls: ca === undefined ? {} : { ca } } : {}),
    ...credentials(access, named),
  };
}

/** The hosts alone, for logs. */
export function shownServers(url: string): string {
  return serversOf(url)
    .map(({ host, port }) => `${host}:${port}`)
    .join(', ');
}

interface ServerAddress {
  protocol: string;
  host: string;
  port: string;
  username: string;
  password: string;
}

function serversOf(url: string): ServerAddress[] {
  return url.split(',').map((item) => {
    const text = item.trim();
    const parsed = URL.parse(text.includes('://') ? text : `nats://${text}`);
    if (parsed === null || parsed.hostname === '' || !/^(?:nats|tls):$/.test(parsed.protocol)) {
      throw new BusMisconfigured(
        'address',
        'WAYPOST_NATS_URL: an address is not of the form nats://host:port or tls://host:port',
      );
    }
    const { protocol, hostname, port, username, password } = parsed;
    return { protocol, host: hostname, port: port === '' ? '4222' : port, username, password };
  });
}

function credentials(access: NatsAccess, named: ServerAddress | undefined): Partial<AccessOptions> {
  const { credsFile, nkeySeed, token } = access;
  const given = [credsFile, nkeySeed, token, named].filter((one) => one !== undefined);
  if (given.length > 1) {
    throw new BusMisconfigured(
      'credentials',
      'more than one way to log in to NATS is given: keep one of WAYPOST_NATS_CREDS_FILE, WAYPOST_NATS_NKEY, WAYPOST_NATS_TOKEN, and user:password@ in WAYPOST_NATS_URL',
    );
  }
  if (credsFile !== undefined) {
    const text = new TextEncoder().encode(readText('WAYPOST_NATS_CREDS_FILE', credsFile));
    return proven(credsAuthenticator(text), `WAYPOST_NATS_CREDS_FILE: ${credsFile} is no credentials file`);
  }
  if (nkeySeed !== undefined) {
    const seed = new TextEncoder().encode(nkeySeed.trim());
    return proven(nkeyAuthenticator(seed), 'WAYPOST_NATS_NKEY is not the seed of a user (SU…)');
  }
  if (token !== undefined) return { token };
  if (named === undefined) return {};
  const user = decodeURIComponent(named.username);
  // As NATS has it: a name without a password is a token.
  return named.password === '' ? { token: user } : { user, pass: decodeURIComponent(named.password) };
}

/** Signs once: a bad seed would show only in the middle of the handshake, which then hangs. */
function proven(authenticator: Authenticator, problem: string): Partial<AccessOptions> {
  try {
    authenticator('a nonce');
  } catch {
    throw new BusMisconfigured('credentials', problem);
  }
  return { authenticator };
}

function readText(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new BusMisconfigured(
      name === 'WAYPOST_NATS_CA_FILE' ? 'tls' : 'credentials',
      `${name}: ${file} can't be read (${why})`,
    );
  }
}
