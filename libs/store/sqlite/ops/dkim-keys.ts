import { checkDkimKeyRemovable, checkRoomForDkimKey, noSuchDkimKey } from '../../dkim-key-rules.ts';
import { NotFound } from '../../errors.ts';
import type { DkimKey, DkimKeyChange, DueDkimKeys, NewDkimKey, SigningKey } from '../../ports/dkim-keys.ts';
import type { Connection } from '../engine/connection.ts';

export const writes = {
  'dkimKeys.add': (connection: Connection, key: NewDkimKey): void => {
    if (connection.get('SELECT 1 FROM directory_domains WHERE key = ?', key.domain) === undefined)
      throw new NotFound('domain');
    const there = connection.all<{ selector: string }>('SELECT selector FROM dkim_keys WHERE domain = ?', key.domain);
    checkRoomForDkimKey(
      there.map(({ selector }) => selector),
      key.selector,
    );
    connection.run(
      `INSERT INTO dkim_keys (domain, selector, algorithm, public_key, private_key, state, await_keep_ms, created_at)
       VALUES (?, ?, ?, ?, ?, 'new', ?, ?)`,
      key.domain,
      key.selector,
      key.algorithm,
      key.publicKey,
      key.privateKey,
      key.awaits?.keepMs ?? null,
      key.createdAt,
    );
  },

  'dkimKeys.setState': (connection: Connection, change: DkimKeyChange): void => {
    const { domain, selector, state, at, removeAt } = change;
    const found = stateOf(connection, domain, selector);
    if (found === undefined) throw noSuchDkimKey();
    if (found.state === state) return;
    const retire = `UPDATE dkim_keys SET state = 'retired', await_keep_ms = NULL, retired_at = ?, remove_at = ? WHERE domain = ?`;
    if (state === 'retired') {
      connection.run(`${retire} AND selector = ?`, at, removeAt, domain, selector);
      return;
    }
    connection.run(`${retire} AND algorithm = ? AND state = 'active'`, at, removeAt, domain, found.algorithm);
    connection.run(
      `UPDATE dkim_keys SET state = 'active', await_keep_ms = NULL, activated_at = ?, retired_at = NULL, remove_at = NULL
       WHERE domain = ? AND selector = ?`,
      at,
      domain,
      selector,
    );
  },

  'dkimKeys.remove': (connection: Connection, { domain, selector }: { domain: string; selector: string }): void => {
    checkDkimKeyRemovable(stateOf(connection, domain, selector)?.state);
    connection.run('DELETE FROM dkim_keys WHERE domain = ? AND selector = ?', domain, selector);
  },
};

export const reads = {
  'dkimKeys.list': (connection: Connection, { domain }: { domain: string }): DkimKey[] =>
    connection.all<StoredKey>(`${select} WHERE domain = ? ORDER BY created_at, selector`, domain).map(toKey),

  'dkimKeys.active': (connection: Connection, { domains }: { domains: readonly string[] }): SigningKey[] =>
    connection.all(
      `SELECT domain, selector, algorithm, private_key AS privateKey FROM dkim_keys
       WHERE domain IN (SELECT value FROM json_each(?)) AND state = 'active' ORDER BY domain, algorithm DESC`,
      JSON.stringify(domains),
    ),

  'dkimKeys.due': (connection: Connection, { now, limit }: { now: number; limit: number }): DueDkimKeys => ({
    awaiting: connection
      .all<StoredKey>(`${select} WHERE await_keep_ms IS NOT NULL ORDER BY created_at LIMIT ?`, limit)
      .map(toKey),
    removable: connection
      .all<StoredKey>(`${select} WHERE remove_at <= ? ORDER BY remove_at LIMIT ?`, now, limit)
      .map(toKey),
  }),
};

const select = `SELECT domain, selector, algorithm, public_key AS publicKey, state, await_keep_ms AS keepMs, created_at AS createdAt,
  activated_at AS activatedAt, retired_at AS retiredAt, remove_at AS removeAt FROM dkim_keys`;

type StoredKey = Omit<DkimKey, 'awaits'> & { keepMs: number | null };

const toKey = ({ keepMs, ...key }: StoredKey): DkimKey => ({ ...key, awaits: keepMs === null ? null : { keepMs } });

function stateOf(
  connection: Connection,
  domain: string,
  selector: string,
): Pick<DkimKey, 'state' | 'algorithm'> | undefined {
  return connection.get('SELECT state, algorithm FROM dkim_keys WHERE domain = ? AND selector = ?', domain, selector);
}
