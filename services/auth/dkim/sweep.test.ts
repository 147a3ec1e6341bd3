import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pino } from 'pino';
import type { Dns, DnsResult } from '../../../libs/dns/port.ts';
import { dkimRecord } from '../../../libs/mail/dkim/dns-record.ts';
import { createSecretBox } from '../../../libs/runtime/secret-box.ts';
import { openSqliteStore, type SqliteStore } from '../../../libs/store/sqlite/open.ts';
import { addKey, rotateKeys } from './keys.ts';
import { sweepDkimKeys } from './sweep.ts';

describe('the sweep of DKIM keys', () => {
  const domain = 'ours.test';
  const published = new Map<string, string>();
  let nowMs = Date.UTC(2026, 10, 23);
  let dataDir: string;
  let store: SqliteStore;
  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'waypost-dkim-sweep-'));
    store = await openSqliteStore({ dataDir });
    await store.directoryAdmin.addDomain({ key: domain, name: domain, createdAt: 1 });
  });
  after(async () => {
    await store.close();
    await rm(dataDir, { recursive: true });
  });

  const dns: Pick<Dns, 'txt'> = {
    async txt(name): Promise<DnsResult<string>> {
      const record = published.get(name);
      const common = { ttlMs: 0, secure: false };
      if (record === undefined) return { kind: 'nxdomain', detail: 'no such name', ...common };
      return { kind: 'found', records: [record], canonicalName: name, ...common };
    },
  };
  const context = () => ({
    dkimKeys: store.dkimKeys,
    secrets: createSecretBox(),
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs, sleep: async () => undefined },
    log: pino({ level: 'silent' }),
    dns,
  });
  const sweep = () => sweepDkimKeys(context(), new AbortController().signal);
  const states = async (): Promise<string[]> => (await store.dkimKeys.list(domain)).map(({ state }) => state);

  it('a rotated key signs once its record is seen, and the one it replaced goes after its time', async () => {
    const first = await addKey(context(), domain, { algorithm: 'ed25519-sha256' });
    assert.equal(first.selector, 'wp-20261123-ed25519');
    await store.dkimKeys.setState({ ...first, state: 'active', at: nowMs, removeAt: nowMs });
    nowMs += 1_000;
    const [second] = await rotateKeys(context(), domain, { now: false, keepMs: 5_000 });
    assert.ok(second);
    await sweep();
    assert.deepEqual(await states(), ['active', 'new']);

    const record = dkimRecord(second);
    published.set(record.name, dkimRecord(first).value);
    await sweep();
    assert.deepEqual(await states(), ['active', 'new']);

    published.set(record.name, record.value);
    await sweep();
    assert.deepEqual(await states(), ['retired', 'active']);

    nowMs += 4_999;
    await sweep();
    assert.deepEqual(await states(), ['retired', 'active']);
    nowMs += 1;
    await sweep();
    assert.deepEqual(await states(), ['active']);
  });
});
