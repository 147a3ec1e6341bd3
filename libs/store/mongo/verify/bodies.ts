import { createHash } from 'node:crypto';
import type { Blobs } from '../../../blobs/port.ts';
import { isStoreTrouble } from '../../errors.ts';
import type { MongoDatabase } from '../database.ts';
import { type AcceptDocument, bodyOf } from '../queue/accept-document.ts';
import type { FaultList } from './fault-list.ts';
import { pagesOf } from './pages.ts';

type Stored = Pick<AcceptDocument, '_id' | 'v' | 'sha256' | 'bytes' | 'blob'> & { sizeBytes?: number };

interface Source {
  kind: string;
  page(after: string): Promise<Stored[]>;
  /** Whether the document still names its blob. */
  names(stored: Stored): Promise<boolean>;
}

/** Answers how many were read. */
export async function checkBodies(
  database: MongoDatabase,
  blobs: Pick<Blobs, 'read'>,
  faults: FaultList,
): Promise<number> {
  let read = 0;
  for (const source of sourcesOf(database)) read += await checkEach(source, blobs, faults);
  return read;
}

function sourcesOf({ accepts, messageBodies }: MongoDatabase): Source[] {
  const options = { projection, promoteBuffers: false, sort: { _id: 1 }, limit: bodiesPerPage } as const;
  const one = { projection: { _id: 1 } } as const;
  return [
    {
      kind: 'message',
      page: (after) => accepts.find<Stored>({ _id: { $gt: after } }, options).toArray(),
      names: async ({ _id, blob }) => blob !== undefined && (await accepts.findOne({ _id, blob }, one)) !== null,
    },
    {
      kind: 'appended message',
      page: (after) => messageBodies.find<Stored>({ _id: { $gt: after } }, options).toArray(),
      names: async ({ _id, blob }) => blob !== undefined && (await messageBodies.findOne({ _id, blob }, one)) !== null,
    },
  ];
}

async function checkEach(source: Source, blobs: Pick<Blobs, 'read'>, faults: FaultList): Promise<number> {
  let read = 0;
  for await (const page of pagesOf((after) => source.page(after))) {
    for (const stored of page) {
      const what = `${source.kind} ${stored._id}`;
      if (faults.isNewer(what, stored)) continue;
      const body = bodyOf(stored);
      // Its body was collected: no mailbox has it any more. Those that one has are looked at from the mailbox.
      if (body === undefined) continue;
      read += 1;
      const found = await digestOf(body.kind === 'inline' ? [body.bytes] : blobs.read(body.ref));
      const fault = faultOf(stored, found);
      // A blob may have been collected while it was read.
      if (fault !== undefined && (body.kind === 'inline' || (await source.names(stored)))) {
        faults.add(`${what}: ${fault}`);
      }
    }
  }
  return read;
}

const projection = { v: 1, sha256: 1, sizeBytes: 1, bytes: 1, blob: 1 } as const;
/** Inline bodies are at most 256 KiB: some 5 MiB at once. */
const bodiesPerPage = 20;

type Digest = { sha256: string; sizeBytes: number } | { unreadable: string };

async function digestOf(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Digest> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  try {
    for await (const chunk of chunks) {
      hash.update(chunk);
      sizeBytes += chunk.length;
    }
  } catch (error) {
    if (isStoreTrouble(error)) throw error;
    return { unreadable: error instanceof Error ? error.message : String(error) };
  }
  return { sha256: hash.digest('hex'), sizeBytes };
}

function faultOf(stored: Stored, found: Digest): string | undefined {
  if ('unreadable' in found) return `its bytes can’t be read (${found.unreadable})`;
  if (found.sha256 !== stored.sha256) return `${found.sha256} where ${stored.sha256} was accepted`;
  if (stored.sizeBytes === undefined || stored.sizeBytes === found.sizeBytes) return undefined;
  return `${found.sizeBytes} bytes where ${stored.sizeBytes} were accepted`;
}
