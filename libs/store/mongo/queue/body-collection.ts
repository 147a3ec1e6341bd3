import { isFinal } from '../../../delivery/state.ts';
import type { Spool } from '../../ports/spool.ts';
import type { MongoDatabase } from '../database.ts';
import type { OnlyReadable } from '../newer-documents.ts';
import { durable } from '../transaction.ts';
import { asStoreErrors } from '../write-errors.ts';
import type { AcceptDocument } from './accept-document.ts';
import { idsOfMessage } from './delivery-document.ts';

/**
 * The collection of bodies. A body is looked at a day after its acceptance (`checkAt`); while a delivery is open, or a mailbox has the message, it is looked at
 * again later. A look that finds nothing marks it; the next one, `keepMs` later, finds the mark untouched and removes it. Each write is conditional on the
 * marks that the look saw, so a touch in between wins.
 */
export async function collect(
  database: MongoDatabase,
  { now, keepMs, limit }: Parameters<Spool['collect']>[0],
): ReturnType<Spool['collect']> {
  const collected: { removed: number; blobs: string[]; more: boolean } = { removed: 0, blobs: [], more: true };
  for (let round = 0; round < maxRounds && collected.removed < limit; round += 1) {
    const step = Math.min(stepSize, limit - collected.removed);
    const candidates = await asStoreErrors(false, () =>
      database.newer.readAround('accepts', (only) => dueChecks(database, now, step, only)),
    );
    for (const candidate of candidates) {
      const blob = await asStoreErrors(true, () => look(database, candidate, now, keepMs));
      if (blob === undefined) continue;
      collected.removed += 1;
      if (blob !== null && (await referredBlobs(database, [blob])).size === 0) collected.blobs.push(blob);
    }
    if (candidates.length < step) return { ...collected, more: false };
  }
  return collected;
}

/** Accept rows that neither a body nor a delivery needs any more. */
export async function forgetAccepts(
  { accepts, deliveries }: MongoDatabase,
  messageIds: readonly string[],
): Promise<void> {
  const gone = await accepts
    .find({ _id: { $in: [...messageIds] }, checkAt: null }, { projection: { _id: 1 } })
    .toArray();
  for (const { _id } of gone) {
    const row = await deliveries.findOne({ _id: idsOfMessage(_id) }, { projection: { _id: 1 } });
    if (row === null) await accepts.deleteOne({ _id, checkAt: null }, { writeConcern: durable });
  }
}

export async function referredBlobs(
  { accepts, messageBodies }: MongoDatabase,
  refs: readonly string[],
): Promise<ReadonlySet<string>> {
  const named = { blob: { $in: [...refs] } };
  const projection = { _id: 0, blob: 1 } as const;
  const [accepted, appended] = await Promise.all([
    accepts.find(named, { projection, hint: 'accepts_blob' }).toArray(),
    messageBodies.find(named, { projection, hint: 'message_bodies_blob' }).toArray(),
  ]);
  return new Set([...accepted, ...appended].map(({ blob }) => blob).filter((blob) => blob !== undefined));
}

const stepSize = 100;
const maxRounds = 20;
/** While a mailbox has the message. Removing the last copy asks for a look at once, so this only mends what was missed. */
const referredCheckMs = 30 * 24 * 3_600_000;

type Candidate = Pick<AcceptDocument, '_id' | 'v' | 'blob' | 'targets' | 'routedAt' | 'checkAt' | 'markedAt'>;

function dueChecks({ accepts }: MongoDatabase, now: number, limit: number, only: OnlyReadable): Promise<Candidate[]> {
  return accepts
    .find<Candidate>(
      { checkAt: { $lte: now, $gte: 0 }, ...only },
      { projection: { v: 1, blob: 1, targets: 1, routedAt: 1, checkAt: 1, markedAt: 1 }, hint: 'accepts_check' },
    )
    .sort({ checkAt: 1 })
    .limit(limit)
    .toArray();
}

/** Undefined: the body stays. Null or its blob: it went. */
async function look(
  database: MongoDatabase,
  candidate: Candidate,
  now: number,
  keepMs: number,
): Promise<string | null | undefined> {
  const { accepts } = database;
  const seen = { _id: candidate._id, checkAt: candidate.checkAt, markedAt: candidate.markedAt };
  const next = await nextLook(database, candidate, now, keepMs);
  if (next !== 'remove') {
    await accepts.updateOne(seen, { $set: next }, { writeConcern: durable });
    return undefined;
  }
  const { modifiedCount } = await accepts.updateOne(
    seen,
    { $set: { checkAt: null, trace: '', targets: [] }, $unset: { bytes: true, blob: true, idempotency: true } },
    { writeConcern: durable },
  );
  if (modifiedCount === 0) return undefined;
  await forgetAccepts(database, [candidate._id]);
  return candidate.blob ?? null;
}

async function nextLook(
  { deliveries, messages, newer }: MongoDatabase,
  { _id: messageId, targets, routedAt, markedAt }: Candidate,
  now: number,
  keepMs: number,
): Promise<{ markedAt: number | null; checkAt: number } | 'remove'> {
  // Without its rows a message isn't delivered yet, however old it is.
  if (routedAt === null) return { markedAt: null, checkAt: now + keepMs };
  const rows = await deliveries
    .find({ _id: idsOfMessage(messageId) }, { projection: { v: 1, state: 1, updatedAt: 1 } })
    .toArray();
  const open = rows.some(({ state }) => !isFinal(state)) || newer.readable('deliveries', rows).length < rows.length;
  if (open) return { markedAt: null, checkAt: now + keepMs };
  const keptUntil = Math.max(0, ...rows.map(({ updatedAt }) => updatedAt)) + keepMs;
  if (keptUntil > now) return { markedAt: null, checkAt: keptUntil };
  const accountIds = [...new Set(targets.map(({ accountId }) => accountId).filter((id) => id !== undefined))];
  const message = await messages.findOne(
    { accountId: { $in: accountIds }, messageId, live: true },
    { projection: { _id: 1 }, hint: 'messages_once' },
  );
  if (message !== null) return { markedAt: null, checkAt: now + referredCheckMs };
  return markedAt === null ? { markedAt: now, checkAt: now + keepMs } : 'remove';
}
