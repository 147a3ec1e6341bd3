import type { AcceptedMessage, Spool } from '../ports/spool.ts';
import type { Engine } from './engine/engine.ts';
import { idempotencyKeepMs } from './ops/idempotency.ts';
import type { AcceptArgs } from './ops/spool.ts';

/** The spool in SQLite: accept writes the delivery rows too, so that no fan-out is ever missing. */
export function sqliteSpool(engine: Engine): Spool {
  return {
    routesOnAccept: true,
    accept: (message) => engine.write('spool.accept', acceptArgs(message), weightOf(message)),
    read: (messageIds) => engine.read('spool.read', { messageIds }),
    fanOut: (messageId) => engine.read('spool.exists', { messageId }),
    fanOutSoon: () => Promise.resolve(),
    unrouted: () => Promise.resolve([]),
    findIdempotent: (accountId, key, now) =>
      engine.read('spool.findIdempotent', { accountId, key, after: now === undefined ? 0 : now - idempotencyKeepMs }),
    probe: (timeoutMs) => engine.probe(timeoutMs),
    collect: (query) => collect(engine, query),
    referredBlobs: async (refs) => new Set(await engine.read('spool.referredBlobs', { refs })),
  };
}

function acceptArgs(message: AcceptedMessage): AcceptArgs {
  const { reversePath, ...envelope } = message.envelope;
  const { body, idempotency } = message;
  return {
    messageId: message.messageId,
    acceptedAt: message.acceptedAt,
    reversePath,
    details: JSON.stringify({ ...envelope, source: message.source, idempotency }),
    trace: message.trace,
    bytes: body.kind === 'inline' ? exactBytes(body.bytes) : null,
    blobRef: body.kind === 'blob' ? body.ref : null,
    sizeBytes: message.sizeBytes,
    sha256: message.sha256,
    targets: message.targets,
    idempotency,
  };
}

/** Structured clone copies the whole buffer behind a view, and small Buffers share one. */
function exactBytes(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

/** What waiting accepts hold in memory. */
function weightOf({ body, trace, targets }: AcceptedMessage): number {
  return 1024 + trace.length + targets.length * 512 + (body.kind === 'inline' ? body.bytes.byteLength : 0);
}

/** The writer looks at a few bodies at a time, so that accepts don't wait behind it. */
async function collect(
  engine: Engine,
  { now, keepMs, limit }: { now: number; keepMs: number; limit: number },
): Promise<{ removed: number; blobs: string[]; more: boolean }> {
  const collected: { removed: number; blobs: string[]; more: boolean } = { removed: 0, blobs: [], more: true };
  for (let round = 0; round < maxRounds && collected.removed < limit; round++) {
    const step = Math.min(stepSize, limit - collected.removed);
    const { looked, removed, blobs } = await engine.write('spool.collect', { now, keepMs, limit: step });
    collected.removed += removed;
    collected.blobs.push(...blobs);
    if (looked < step) return { ...collected, more: false };
  }
  return collected;
}

const stepSize = 100;
const maxRounds = 20;
