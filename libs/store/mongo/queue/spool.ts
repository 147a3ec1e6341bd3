import type { AcceptedMessage, AcceptResult, Spool } from '../../ports/spool.ts';
import type { MongoDatabase } from '../database.ts';
import { durable } from '../transaction.ts';
import { asStoreErrors } from '../write-errors.ts';
import { acceptDocument, spooledMessage } from './accept-document.ts';
import type { AcceptWriter } from './accept-writer.ts';
import { collect, referredBlobs } from './body-collection.ts';
import type { FanOut } from './fan-out.ts';
import { ofChunks } from './partition-chunks.ts';

/** How long an Idempotency-Key is remembered. */
const idempotencyKeepMs = 24 * 3_600_000;

/** The spool in MongoDB: a message is one document, and its delivery rows follow by fan-out. */
export function mongoSpool(
  database: MongoDatabase,
  writer: AcceptWriter,
  fanOut: FanOut,
  probe: (timeoutMs: number) => Promise<boolean>,
): Spool {
  const { accepts, newer } = database;
  return {
    routesOnAccept: false,
    accept: (message) => accept(database, writer, fanOut, message),
    read: (messageIds) =>
      asStoreErrors(false, async () => {
        const found = await accepts.find({ _id: { $in: [...messageIds] } }, { promoteBuffers: false }).toArray();
        for (const document of found) newer.check('accepts', document);
        const messages = found.map(spooledMessage).filter((message) => message !== undefined);
        return new Map(messages.map((message) => [message.messageId, message]));
      }),
    fanOut: (messageId) => fanOut.complete(messageId),
    fanOutSoon: (messageId) => fanOut.soon(messageId),
    unrouted: ({ partitions, acceptedBefore, limit }) =>
      asStoreErrors(false, async () => {
        if (limit <= 0) return [];
        const found = await ofChunks(partitions, (chunk) =>
          newer.readAround('accepts', (only) =>
            accepts
              .find(
                { routedAt: null, partition: { $in: chunk }, acceptedAt: { $lt: acceptedBefore }, ...only },
                { projection: { v: 1, acceptedAt: 1 }, hint: 'accepts_unrouted' },
              )
              .sort({ acceptedAt: 1 })
              .limit(limit)
              .toArray(),
          ),
        );
        const oldestFirst = found.toSorted((a, b) => a.acceptedAt - b.acceptedAt);
        return oldestFirst.slice(0, limit).map(({ _id }) => _id);
      }),
    findIdempotent: (accountId, key, now) =>
      findIdempotent(database, { accountId, key, after: now === undefined ? 0 : now - idempotencyKeepMs }),
    probe,
    collect: (query) => collect(database, query),
    referredBlobs: (refs) => asStoreErrors(false, () => referredBlobs(database, refs)),
  };
}

async function accept(
  database: MongoDatabase,
  writer: AcceptWriter,
  fanOut: FanOut,
  message: AcceptedMessage,
): Promise<AcceptResult> {
  const { messageId, acceptedAt, idempotency } = message;
  const document = acceptDocument(message);
  for (let tries = 1; ; tries += 1) {
    const written = await writer.write(document);
    if (written === 'accepted') {
      fanOut.remember(message);
      return { accepted: true, messageId };
    }
    if (idempotency === undefined) throw new Error('a message without an Idempotency-Key has none that was used');
    const after = acceptedAt - idempotencyKeepMs;
    const earlier = await findIdempotent(database, { ...idempotency, after });
    if (earlier !== undefined) {
      return earlier.messageId === messageId ? { accepted: true, messageId } : { accepted: false, ...earlier };
    }
    // The key is older than it is remembered, or was forgotten just now.
    if (tries >= maxTries) throw new Error('the Idempotency-Key is neither free nor used');
    await forgetKey(database, { ...idempotency, after });
  }
}

const maxTries = 3;

function findIdempotent(
  { accepts }: MongoDatabase,
  { accountId, key, after }: { accountId: string; key: string; after: number },
): Promise<{ messageId: string; requestHash: string } | undefined> {
  return asStoreErrors(false, async () => {
    const found = await accepts.findOne(
      { 'idempotency.accountId': accountId, 'idempotency.key': key, acceptedAt: { $gt: after } },
      { projection: { 'idempotency.requestHash': 1 } },
    );
    const requestHash = found?.idempotency?.requestHash;
    return found === null || requestHash === undefined ? undefined : { messageId: found._id, requestHash };
  });
}

async function forgetKey(
  { accepts }: MongoDatabase,
  { accountId, key, after }: { accountId: string; key: string; after: number },
): Promise<void> {
  await asStoreErrors(true, () =>
    accepts.updateOne(
      { 'idempotency.accountId': accountId, 'idempotency.key': key, acceptedAt: { $lte: after } },
      { $unset: { idempotency: true } },
      { writeConcern: durable },
    ),
  );
}
