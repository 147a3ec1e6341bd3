import { createHash } from 'node:crypto';
import type { Clock } from '../../libs/runtime/clock.ts';
import type { LoginLimits } from '../../libs/store/ports/credentials.ts';

/** A window begins with its first failure. */
const failureWindowMs = 15 * 60_000;
/** Failures of one user from one network: somebody tries passwords, or a client has an old one. */
const maxFailuresOfPair = 10;
/** Failures of all users from one network: somebody tries users. */
const maxFailuresOfNetwork = 100;
/** Failures of one user from anywhere: somebody tries from many networks. */
const maxFailuresOfUser = 50;
/** How long a network from which a user has logged in is kept in mind. */
const familiarMs = 30 * 24 * 60 * 60_000;

export interface LoginAttempt {
  pair: string;
  network: string;
  user: string;
}

export interface Standing {
  /** Set: refused, and when to come again. */
  retryAfterMs: number | undefined;
  hasFailed: boolean;
  /** Until when the network is familiar for this user. */
  familiarUntil: number | undefined;
}

/**
 * Who may try a password now, by what failed before; asked before the password is looked at. Failures elsewhere never lock a user out of a network
 * that they log in from: there only the failures of that very pair count. So a stranger can refuse a user at most the networks that are new to them.
 */
export function createLoginLimiter({ limits, clock }: { limits: LoginLimits; clock: Clock }) {
  return {
    async standing(attempt: LoginAttempt): Promise<Standing> {
      const now = clock.nowMs();
      const keys = [attempt.pair, attempt.network, attempt.user];
      const [failures, familiarUntil] = await Promise.all([
        limits.failures(keys, now),
        limits.remembered(attempt.pair, now),
      ]);
      const [pair, network, user] = failures;
      const passed = [
        ...reached(pair, maxFailuresOfPair),
        ...(familiarUntil === undefined
          ? [...reached(network, maxFailuresOfNetwork), ...reached(user, maxFailuresOfUser)]
          : []),
      ];
      const retryAfterMs = passed.length === 0 ? undefined : Math.max(...passed) - now;
      return { retryAfterMs, hasFailed: (pair?.count ?? 0) > 0, familiarUntil };
    },

    async failed(attempt: LoginAttempt): Promise<void> {
      await limits.fail([attempt.pair, attempt.network, attempt.user], failureWindowMs, clock.nowMs());
    },

    /** Writes only what has changed: most logins are of a familiar pair without failures. */
    async succeeded(attempt: LoginAttempt, before: Standing): Promise<void> {
      const now = clock.nowMs();
      if (before.hasFailed) await limits.clear([attempt.pair]);
      if ((before.familiarUntil ?? now) - now < familiarMs / 2) await limits.remember(attempt.pair, now + familiarMs);
    },
  };
}

export type LoginLimiter = ReturnType<typeof createLoginLimiter>;

/** The keys of an attempt. Hashed: what was typed as a user name may be a password. */
export function loginAttempt(user: string, network: string): LoginAttempt {
  const userKey = createHash('sha256').update(user, 'utf8').digest('base64url');
  return { pair: `pair:${userKey}:${network}`, network: `network:${network}`, user: `user:${userKey}` };
}

function reached(failures: { count: number; resetsAt: number } | undefined, max: number): number[] {
  return failures !== undefined && failures.count >= max ? [failures.resetsAt] : [];
}
