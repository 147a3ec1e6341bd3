import { hash, randomBytes } from 'node:crypto';
import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Bus } from '../bus/port.ts';
import type { Identity, Verified } from '../bus/requests.ts';
import { BoundedCache } from '../runtime/bounded-cache.ts';
import { clientNetwork } from '../runtime/client-network.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Directory } from '../store/ports/directory.ts';
import { fromRequestFailed } from './request-errors.ts';
import { VersionReader } from './version-reader.ts';

export type Via = 'smtp' | 'http' | 'imap' | 'pop3';

/**
 * Checks credentials for every protocol: asks auth once, then keeps what was good in memory. A verified credential stays good for 15 minutes while the
 * account's credentialVersion, read from the directory at most every 2 s, is unchanged; so it works while the bus is away, and a changed
 * password or a disabled account ends it within 2 s. Secrets are kept only as an HMAC under a key of this process. Refusals are never kept.
 *
 * Rejects with BusUnavailable or BusTimeout when auth must be asked and can't be, with StoreUnavailable when the version can't be read, and with the error
 * of the store that kept auth from answering (StoreBusy too when too many logins wait to be checked).
 */
export interface Verifier {
  password(login: { username: string; password: string; remoteAddress: string; via: Via }): Promise<Verified>;
  token(login: { token: string; remoteAddress: string; via: Via }): Promise<Verified>;
  /**
   * Whether what was verified once is still good: the account is enabled, its credentials are the same and a token hasn't run out. For what lasts longer than
   * a request: a session, a stream. At most 2 s old. Rejects with StoreUnavailable.
   */
  isGood(identity: Pick<Identity, 'accountId' | 'credentialVersion' | 'expiresAt'>): Promise<boolean>;
}

export interface VerifierOptions {
  bus: Bus;
  directory: Pick<Directory, 'credentialVersions'>;
  clock: Clock;
  metrics: Registry;
}

export function createVerifier(options: VerifierOptions): Verifier {
  const checks = new CachedChecks(options);
  const { bus } = options;
  return {
    password: (login) =>
      checks.check(['password', login.username, login.password], login.remoteAddress, () =>
        bus.request('auth.verify', login, { timeoutMs: askTimeoutMs }),
      ),
    token: (login) =>
      checks.check(['token', login.token], login.remoteAddress, () =>
        bus.request('auth.token', login, { timeoutMs: askTimeoutMs }),
      ),
    isGood: (identity) => checks.isGood(identity),
  };
}

/** A slow hash behind a queue of others; past it the client may as well come again. */
const askTimeoutMs = 10_000;
/** How long a verified credential is good without asking auth again. */
const goodForMs = 15 * 60_000;
const cacheCap = 20_000;
/** Checks under way for one network and in all: guesses can't take the whole of auth. */
const maxChecksOfNetwork = 32;
const maxChecks = 256;

class CachedChecks {
  /** Two keys of this process. */
  readonly #inner = randomBytes(64).toString('hex');
  readonly #outer = randomBytes(64).toString('hex');
  readonly #clock: Clock;
  readonly #good: BoundedCache<string, Identity>;
  readonly #versions: VersionReader;
  readonly #pending = new Map<string, Promise<Verified>>();
  readonly #networks = new Map<string, number>();
  readonly #results: Counter<'result'>;

  constructor(options: VerifierOptions) {
    this.#clock = options.clock;
    this.#good = new BoundedCache({ cap: cacheCap, ttlMs: goodForMs, clock: options.clock });
    this.#versions = new VersionReader(options.directory, options.clock);
    this.#results = counterOf(options.metrics);
    gaugeOf(options.metrics, () => this.#good.size);
  }

  /** `ask` is called when the cache doesn't know the credential; equal checks under way share one. */
  async check(credential: readonly string[], remoteAddress: string, ask: () => Promise<Verified>): Promise<Verified> {
    const key = this.#keyOf(credential);
    const known = this.#good.get(key);
    if (known !== undefined && (await this.isGood(known))) {
      this.#results.inc({ result: 'cached' });
      return { ok: true, identity: known };
    }
    this.#good.delete(key);
    const pending = this.#pending.get(key) ?? this.#begin(key, clientNetwork(remoteAddress), ask);
    return pending;
  }

  async isGood(identity: Pick<Identity, 'accountId' | 'credentialVersion' | 'expiresAt'>): Promise<boolean> {
    if (identity.expiresAt !== undefined && identity.expiresAt <= this.#clock.nowMs()) return false;
    const version = await this.#versions.of(identity.accountId);
    // One that was read before the credential was verified is lower: versions only rise.
    return version !== undefined && version <= identity.credentialVersion;
  }

  #begin(key: string, network: string, ask: () => Promise<Verified>): Promise<Verified> {
    const ofNetwork = this.#networks.get(network) ?? 0;
    if (ofNetwork >= maxChecksOfNetwork || this.#pending.size >= maxChecks) {
      this.#results.inc({ result: 'limited' });
      return Promise.resolve({ ok: false, reason: 'limited', retryAfterMs: 1000 });
    }
    this.#networks.set(network, ofNetwork + 1);
    const pending = this.#ask(key, ask).finally(() => {
      this.#pending.delete(key);
      const left = (this.#networks.get(network) ?? 1) - 1;
      if (left === 0) this.#networks.delete(network);
      else this.#networks.set(network, left);
    });
    this.#pending.set(key, pending);
    return pending;
  }

  async #ask(key: string, ask: () => Promise<Verified>): Promise<Verified> {
    const verified = await ask().catch((error: unknown) => {
      throw fromRequestFailed(error);
    });
    if (verified.ok) this.#good.set(key, verified.identity);
    this.#results.inc({ result: verified.ok ? 'accepted' : verified.reason });
    return verified;
  }

  /** HMAC's construction (RFC 2104 §2) on one-shot hashes: an Hmac object costs each request ten times as much. */
  #keyOf(credential: readonly string[]): string {
    // The length before each part: no two credentials give the same text.
    const text = credential.map((part) => `${part.length}:${part}`).join('');
    return hash('sha256', this.#outer + hash('sha256', this.#inner + text, 'base64'), 'base64');
  }
}

function counterOf(metrics: Registry): Counter<'result'> {
  const name = 'waypost_login_checks_total';
  const existing = metrics.getSingleMetric(name);
  if (existing instanceof Counter) return existing;
  return new Counter({
    name,
    help: 'Credentials checked, by result; cached ones were not asked of auth.',
    labelNames: ['result'],
    registers: [metrics],
  });
}

function gaugeOf(metrics: Registry, size: () => number): void {
  const name = 'waypost_login_cache_entries';
  if (metrics.getSingleMetric(name) !== undefined) return;
  new Gauge({
    name,
    help: 'Verified credentials kept in memory.',
    registers: [metrics],
    collect() {
      this.set(size());
    },
  });
}
