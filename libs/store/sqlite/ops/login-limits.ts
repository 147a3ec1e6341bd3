import type { Connection } from '../engine/connection.ts';

export const writes = {
  'loginLimits.fail': (
    connection: Connection,
    args: { keys: readonly string[]; windowMs: number; now: number },
  ): void => {
    for (const key of args.keys) {
      connection.run(
        `INSERT INTO login_failures (key, count, resets_at) VALUES (?, 1, ?)
         ON CONFLICT (key) DO UPDATE SET
           count = iif(resets_at <= ?, 1, count + 1),
           resets_at = iif(resets_at <= ?, excluded.resets_at, resets_at)`,
        key,
        args.now + args.windowMs,
        args.now,
        args.now,
      );
    }
  },

  'loginLimits.clear': (connection: Connection, args: { keys: readonly string[] }): void => {
    for (const key of args.keys) connection.run('DELETE FROM login_failures WHERE key = ?', key);
  },

  'loginLimits.remember': (connection: Connection, args: { key: string; until: number }): void => {
    connection.run(
      'INSERT INTO login_successes (key, until) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET until = max(until, excluded.until)',
      args.key,
      args.until,
    );
  },

  'loginLimits.purge': (connection: Connection, args: { now: number; limit: number }): number => {
    const failures = connection.run(
      'DELETE FROM login_failures WHERE key IN (SELECT key FROM login_failures WHERE resets_at <= ? LIMIT ?)',
      args.now,
      args.limit,
    );
    const successes = connection.run(
      'DELETE FROM login_successes WHERE key IN (SELECT key FROM login_successes WHERE until <= ? LIMIT ?)',
      args.now,
      args.limit - failures,
    );
    return failures + successes;
  },
};

export const reads = {
  'loginLimits.failures': (
    connection: Connection,
    args: { keys: readonly string[]; now: number },
  ): { key: string; count: number; resetsAt: number }[] =>
    connection.all(
      `SELECT key, count, resets_at AS resetsAt FROM login_failures
       WHERE key IN (SELECT value FROM json_each(?)) AND resets_at > ?`,
      JSON.stringify(args.keys),
      args.now,
    ),

  'loginLimits.remembered': (connection: Connection, args: { key: string; now: number }): number | undefined =>
    connection.get<{ until: number }>(
      'SELECT until FROM login_successes WHERE key = ? AND until > ?',
      args.key,
      args.now,
    )?.until,
};
