/**
 * How fast the SQLite store of mailboxes is, through the engine with its threads and commits: `node tests/bench/mailboxes.ts [messages of the large mailbox]`
 * (1,000,000 takes about 1.5 GB in the temporary folder and a minute to fill).
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { localDestination } from '../../libs/delivery/partition.ts';
import { newId } from '../../libs/runtime/ids.ts';
import type { LocalDelivery, Mailboxes, MessageFilter } from '../../libs/store/ports/mailboxes.ts';
import { Connection } from '../../libs/store/sqlite/engine/connection.ts';
import { Engine } from '../../libs/store/sqlite/engine/engine.ts';
import { sqliteMailboxes } from '../../libs/store/sqlite/mailboxes.ts';
import { sqliteSpool } from '../../libs/store/sqlite/spool.ts';
import { fillMailbox, summaryOf } from './fill-mailbox.ts';

const many = Number(process.argv[2] ?? 1_000_000);
const folder = mkdtempSync(join(tmpdir(), 'waypost-bench-'));
const file = join(folder, 'waypost.db');
const accounts = Array.from({ length: 20 }, newId);

try {
  await prepare();
  const engine = await Engine.open({ file });
  const mailboxes = sqliteMailboxes(engine);
  const small = await openAccount(mailboxes);
  const large = await openAccount(mailboxes);
  await engine.close();
  for (const [accountId, count] of [
    [small, 10_000],
    [large, many],
  ] as const) {
    const begun = performance.now();
    fillMailbox(file, accountId, count);
    print(`filled a mailbox of ${count}`, `${((performance.now() - begun) / 1000).toFixed(1)} s`);
  }

  const measured = await Engine.open({ file });
  await measureDeliver(measured);
  const store = sqliteMailboxes(measured);
  for (const [accountId, size] of [
    [small, 10_000],
    [large, many],
  ] as const)
    await measureReads(store, accountId, size);
  await measured.close();
} finally {
  rmSync(folder, { recursive: true });
}

async function prepare(): Promise<void> {
  const engine = await Engine.open({ file });
  await engine.close();
  const connection = new Connection(file, { readOnly: false });
  for (const id of accounts) addAccount(connection, id);
  connection.close();
}

function addAccount(connection: Connection, id: string): void {
  connection.run(
    `INSERT INTO directory_accounts (id, key, address, enabled, admin, quota_version, quota_copied, credential_version, created_at)
     VALUES (?1, ?1, ?1, 1, 0, 1, 1, 1, 1)`,
    id,
  );
}

async function openAccount(mailboxes: Mailboxes): Promise<string> {
  const id = newId();
  const connection = new Connection(file, { readOnly: false });
  addAccount(connection, id);
  connection.close();
  await mailboxes.mailboxes(id);
  return id;
}

async function measureDeliver(engine: Engine): Promise<void> {
  const mailboxes = sqliteMailboxes(engine);
  for (const size of [20, 100, 200, 400]) {
    const times: number[] = [];
    for (let round = 0; round < 12; round += 1) {
      const batch = await accepted(engine, size);
      const begun = performance.now();
      const answers = await mailboxes.deliver(batch, Date.now());
      times.push(((performance.now() - begun) * 1000) / size);
      if (answers.some(({ answer }) => answer !== 'delivered')) throw new Error('not delivered');
    }
    print(
      `deliver, batches of ${size}, ${accounts.length} accounts`,
      `${median(times.slice(2)).toFixed(0)} µs a message`,
    );
  }
}

async function accepted(engine: Engine, size: number): Promise<LocalDelivery[]> {
  const spool = sqliteSpool(engine);
  const now = Date.now();
  return Promise.all(
    Array.from({ length: size }, async (_, n): Promise<LocalDelivery> => {
      const messageId = newId();
      const accountId = accounts[n % accounts.length] ?? '';
      const target = {
        n: 0,
        kind: 'inbox' as const,
        recipient: 'bob@example.test',
        accountId,
        destination: localDestination(accountId),
      };
      await spool.accept({
        messageId,
        acceptedAt: now,
        envelope: { reversePath: 'alice@example.test', smtputf8: false, body: '8BITMIME' },
        source: { by: 'mx' },
        trace: 'Received: from example.test\r\n',
        body: { kind: 'inline', bytes: new Uint8Array(randomBytes(4096)) },
        sizeBytes: 4096,
        sha256: '0'.repeat(64),
        targets: [{ ...target, priority: 1, rank: now, dueAt: now, expiresAt: now + 1e9 }],
      });
      const claim = { owner: 'bench', epoch: 1, token: 'bench' };
      const where = { kind: 'inbox', role: 'inbox', keywords: [], receivedAt: now } as const;
      return {
        deliveryId: `${messageId}/0`,
        claim,
        accountId,
        messageId,
        ...where,
        sizeBytes: 4200,
        summary: summaryOf(`Subject ${messageId}`),
      };
    }),
  );
}

async function measureReads(mailboxes: Mailboxes, accountId: string, size: number): Promise<void> {
  const page = async (name: string, filter: MessageFilter): Promise<void> => {
    const time = await timed(() => mailboxes.list(accountId, filter, { limit: 50 }));
    print(`list 50 of ${size}, ${name}`, `${time.toFixed(0)} µs`);
  };
  const first = await mailboxes.list(accountId, { mailbox: 'inbox' }, { limit: 50 });
  await page('a mailbox', { mailbox: 'inbox' });
  await page('all mail', {});
  await page('deep in the mailbox', { mailbox: 'inbox', before: 1_600_000_000_000 + size * 500 });
  await page('unread', { mailbox: 'inbox', unread: true });
  await page('with attachment', { mailbox: 'inbox', hasAttachment: true });
  await page('search a common word', { text: [['common']] });
  await page('search a rare word', { text: [['rare']] });
  await page('search a phrase, in the mailbox', { mailbox: 'inbox', text: [['common', 'words']] });
  await page('search a word of nearly all, unread', { text: [['common']], unread: true });
  let n = 0;
  print(
    `get from ${size}`,
    `${(await timed(() => mailboxes.get(accountId, first.messages[n++ % 50]?.id ?? ''))).toFixed(0)} µs`,
  );
  const since = first.state.replace(/\.(\d+)$/, (_, modseq: string) => `.${Number(modseq) - 100}`);
  print(`changes, 100 of ${size}`, `${(await timed(() => mailboxes.changes(accountId, since, 500))).toFixed(0)} µs`);
}

/** Median of one call after the other, µs. */
async function timed(call: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 300; round += 1) {
    const begun = performance.now();
    await call();
    times.push((performance.now() - begun) * 1000);
  }
  return median(times.slice(20));
}

function median(times: number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
}

function print(what: string, figure: string): void {
  process.stdout.write(`${what.padEnd(56)} ${figure}\n`);
}
