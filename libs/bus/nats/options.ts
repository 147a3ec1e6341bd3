import type { Registry } from 'prom-client';
import type { Logger } from '../../ops/logger.ts';
import type { Clock } from '../../runtime/clock.ts';

/** Where the server is, and what proves who we are: at most one of the ways. */
export interface NatsAccess {
  /** `nats://` or `tls://`, comma-separated; `user:password@` or `token@` may stand in each. */
  url: string;
  /** The service whose inbox replies go to: `_INBOX.waypost.<service>`. */
  service: string;
  /** Certificate authorities (PEM); with it TLS is required. */
  caFile?: string | undefined;
  /** A credentials file (JWT and seed). */
  credsFile?: string | undefined;
  token?: string | undefined;
  /** The seed of an nkey of a user, `SU…`. */
  nkeySeed?: string | undefined;
  /** The oldest server that is taken (default 2.10.0). */
  minimumVersion?: string | undefined;
}

export interface NatsBusOptions extends NatsAccess {
  /** CloudEvents `source`: `/waypost/<service>/<instance>`. */
  source: string;
  clock: Clock;
  log: Logger;
  metrics: Registry;
  /** Make the stream where it is missing: true outside of production, else WAYPOST_CREATE_STREAMS. */
  createStreams: boolean;
  /** Events and wake-ups that may wait for one subscription, or for the server (default 10,000). */
  queueCap?: number;
  /** How long the start waits for a server that can't be reached before it goes on without (default 3 s). */
  startWaitMs?: number;
  /** How long `close` waits for handlers (default 5 s). */
  drainMs?: number;
}
