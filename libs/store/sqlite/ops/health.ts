import type { Connection } from '../engine/connection.ts';

export const writes = {
  /** A write that commits: the store takes mail. */
  'health.probe': (connection: Connection, args: { at: number }): void => {
    connection.run(
      `INSERT INTO meta (name, value) VALUES ('probe', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
      String(args.at),
    );
  },
};

export const reads = {
  'health.meta': (connection: Connection, args: { name: string }): string | undefined =>
    connection.get<{ value: string }>('SELECT value FROM meta WHERE name = ?', args.name)?.value,
};
