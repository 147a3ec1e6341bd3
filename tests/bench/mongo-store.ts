import { createHash, randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { localDestination } from '../../libs/delivery/partition.ts';
import { type DeliveryRow, partitionCount } from '../../libs/delivery/row.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { openMongoStore } from '../../libs/store/mongo/open.ts';
import type { LocalDelivery } from '../../libs/store/ports/mailboxes.ts';
import type { AcceptedMessage } from '../../libs/store/ports/spool.ts';
import { mongoReplicaSet } from '../backends/mongo.ts';
import { freshDatabase } from '../backends/require.ts';

/**
 * What MongoDB's store does in a second on a set of three (or on WAYPOST_TEST_MONGODB_URL): accepts of 4 KiB with 1, 20 and 100 callers, each with its fan-out
 * beside it or without; then due, claim and local delivery in batches of 20, 100 and 400. Load and servers share the machine.
 *
 *   node tests/bench/mongo-store.ts [--messages 10000] [--accounts 20] [--members 3]
 */
const { values: options } = parseArgs({
  options: {
    messages: { type: 'string', default: '10000' },
    accounts: { type: 'string', default: '20' },
    members: { type: 'string', default: '3' },
  },
});
const messages = Number(options.messages);
const accounts = Array.from({ length: Number(options.accounts) }, () => newId());
const bytes = Buffer.from(randomBytes(3072).toString('base64'));
const sha256 = createHash('sha256').update(bytes).digest('hex');
const partitions = Array.from({ length: partitionCount }, (_, n) => n);

const set = await mongoReplicaSet({ members: options.members === '1' ? 1 : 3, own: false });
const store = await openMongoStore({ url: set.url, database: freshDatabase() });
try {
  await store.database.accounts.insertMany(accounts.map((_id) => ({ _id })));
  await acceptAll(100, 500, true);
  for (const callers of [1, 20, 100]) {
    const many = Math.min(messages, callers * 100);
    await measure(`accept, ${callers} callers`, many, () => acceptAll(callers, many, false));
  }
  for (const callers of [20, 100]) {
    const many = Math.min(messages, callers * 100);
    await measure(`accept and fan-out, ${callers} callers`, many, () => acceptAll(callers, many, true));
  }
  await fanOutRest();
  const leases = await store.partitions.acquire({ owner: 'bench', partitions, leaseMs: 3_600_000 });
  for (const size of [20, 100, 400]) await deliverBatches(leases, size, Math.min(4_000, size * 20));
} finally {
  await store.database.db.dropDatabase();
  await store.close();
  await set.stop();
}

async function measure(name: string, operations: number, run: () => Promise<void>): Promise<void> {
  const begun = performance.now();
  await run();
  report(name, operations, performance.now() - begun);
}

function report(name: string, operations: number, tookMs: number): void {
  console.log(`${name.padEnd(34)} ${String(Math.round((operations * 1000) / tookMs)).padStart(7)} /s`);
}

async function acceptAll(callers: number, many: number, fanOut: boolean): Promise<void> {
  let left = many;
  const routing: Promise<unknown>[] = [];
  const call = async (): Promise<void> => {
    while (left-- > 0) {
      const message = makeMessage();
      await store.spool.accept(message);
      // As ingress does: after the reply, beside the next.
      if (fanOut) routing.push(store.spool.fanOut(message.messageId));
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  await Promise.all(routing);
}

async function fanOutRest(): Promise<void> {
  for (;;) {
    const ids = await store.spool.unrouted({ partitions, acceptedBefore: Date.now() + 1_000, limit: 500 });
    if (ids.length === 0) return;
    await Promise.all(ids.map((id) => store.spool.fanOut(id)));
  }
}

async function deliverBatches(
  leases: readonly { partition: number; epoch: number }[],
  size: number,
  many: number,
): Promise<void> {
  const spent = { due: 0, claim: 0, deliver: 0 };
  const timed = async <T>(step: keyof typeof spent, run: () => Promise<T>): Promise<T> => {
    const begun = performance.now();
    const result = await run();
    spent[step] += performance.now() - begun;
    return result;
  };
  let delivered = 0;
  while (delivered < many) {
    const now = Date.now();
    const rows = await timed('due', () => store.deliveries.due({ partitions, now, perDestination: size, limit: size }));
    if (rows.length === 0) break;
    const request = { owner: 'bench', leases, ids: rows.map(({ id }) => id), token: newId(), leaseMs: 15_000, now };
    const claimed = await timed('claim', () => store.deliveries.claim(request));
    const batch = claimed.flatMap((row) => deliveryOf(row) ?? []);
    await timed('deliver', () => store.mailboxes.deliver(batch, now));
    delivered += batch.length;
  }
  report(`deliver, batches of ${size}`, delivered, spent.deliver);
  report(`  claim, batches of ${size}`, delivered, spent.claim);
  report(`  due, claim and deliver`, delivered, spent.due + spent.claim + spent.deliver);
}

function deliveryOf({ id, claim, accountId, messageId, acceptedAt }: DeliveryRow): LocalDelivery | undefined {
  if (claim === undefined || accountId === undefined) return undefined;
  return {
    deliveryId: id,
    claim,
    accountId,
    messageId,
    kind: 'inbox',
    role: 'inbox',
    keywords: [],
    receivedAt: acceptedAt,
    sizeBytes: bytes.length,
    summary: {
      from: [{ name: 'A Sender', email: 'sender@remote.example' }],
      to: [{ name: null, email: 'someone@example.test' }],
      cc: [],
      subject: `Message ${messageId}`,
      messageIdHeader: `${messageId}@remote.example`,
      inReplyTo: [],
      references: [],
      sentAt: acceptedAt,
      preview: 'What the message begins with, some two hundred characters of it. '.repeat(3),
      hasAttachment: false,
      unparsable: false,
    },
  };
}

function makeMessage(): AcceptedMessage {
  const now = Date.now();
  const accountId = accounts[Math.floor(Math.random() * accounts.length)] ?? '';
  return {
    messageId: newId(),
    acceptedAt: now,
    envelope: { reversePath: `sender${now % 1000}@remote.example`, smtputf8: false, body: '8BITMIME' },
    source: { by: 'mx', remoteAddress: '192.0.2.1', helo: 'client.example' },
    trace: `Received: from client.example ([192.0.2.1])\r\n by mail.example.test with ESMTP id ${newId()};\r\n Mon, 1 Jan 2024 00:00:00 +0000\r\n`,
    body: { kind: 'inline', bytes },
    sizeBytes: bytes.length,
    sha256,
    targets: [
      {
        n: 0,
        kind: 'inbox',
        recipient: `user${accountId}@example.test`,
        accountId,
        destination: localDestination(accountId),
        priority: 1,
        rank: now,
        dueAt: now,
        expiresAt: now + 432_000_000,
      },
    ],
  };
}
