import { AlreadyExists, NotFound, Refused } from '../../../errors.ts';
import type { Domain } from '../../../ports/directory.ts';
import type { Connection } from '../../engine/connection.ts';

export const writes = {
  'directory.addDomain': (connection: Connection, domain: Domain): void => {
    const added = connection.run(
      'INSERT INTO directory_domains (key, name, created_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
      domain.key,
      domain.name,
      domain.createdAt,
    );
    if (added === 0) throw new AlreadyExists('domain');
  },

  'directory.removeDomain': (connection: Connection, args: { key: string }): void => {
    if (connection.get('SELECT 1 FROM directory_addresses WHERE domain = ? LIMIT 1', args.key) !== undefined) {
      throw new Refused('domainInUse', 'accounts or aliases are in this domain');
    }
    if (connection.run('DELETE FROM directory_domains WHERE key = ?', args.key) === 0) throw new NotFound('domain');
  },
};

export const reads = {
  'directory.domains': (connection: Connection, args: { limit: number; cursor?: string }): Domain[] =>
    connection.all(
      'SELECT key, name, created_at AS createdAt FROM directory_domains WHERE key > ? ORDER BY key LIMIT ?',
      args.cursor ?? '',
      args.limit,
    ),
};

/** Takes an address (key) for an account or an alias: the one place that keeps it unique and in a domain of ours. */
export function takeAddress(connection: Connection, key: string, accountId: string | null): void {
  const domain = key.slice(key.lastIndexOf('@') + 1);
  if (connection.get('SELECT 1 FROM directory_domains WHERE key = ?', domain) === undefined) {
    throw new Refused('noDomain', `${domain} isn't a domain of this system`);
  }
  const taken = connection.run(
    'INSERT INTO directory_addresses (key, domain, account_id) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    key,
    domain,
    accountId,
  );
  if (taken === 0) throw new AlreadyExists('address');
}
