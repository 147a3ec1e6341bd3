import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder, syncFolder } from '../runtime/folders.ts';
import { NotFound, OutcomeUnknown, StoreFull } from '../store/errors.ts';
import type { Blobs } from './port.ts';

/**
 * Bodies as files: `<directory>/<2 hex>/<2 hex>/<uuid>`. A body is written beside its place, fsynced, renamed, and the folders are fsynced, before `put`
 * resolves: after a power cut a reference that was returned names the whole file. What a crash leaves in `incoming` is removed at the next opening.
 */
export async function openFileBlobs(directory: string): Promise<Blobs> {
  const incoming = join(directory, 'incoming');
  await rm(incoming, { recursive: true, force: true });
  await makeFolder(incoming);
  await syncFolder(directory);
  return {
    put: (bytes, signal) => put(directory, bytes, signal),
    read: (ref, range) => read(directory, ref, range),
    // What isn't there, or never could be, is removed already.
    remove: async (ref) => {
      if (refPattern.test(ref)) await rm(join(directory, ref), { force: true });
    },
    list: (options) => list(directory, options),
  };
}

/** Only reading, beside the process that writes there. */
export function fileBlobsForReading(directory: string): Pick<Blobs, 'read'> {
  return { read: (ref, range) => read(directory, ref, range) };
}

const refPattern = /^[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f-]{36}$/;

/** References come from our own rows; one of another form never reaches the file system. */
function pathOf(directory: string, ref: string): string {
  if (!refPattern.test(ref)) throw new NotFound('body');
  return join(directory, ref);
}

async function put(
  directory: string,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<{ ref: string; sizeBytes: number; sha256: string }> {
  const name = randomUUID();
  const temporary = join(directory, 'incoming', name);
  try {
    const written = await write(temporary, bytes, signal);
    const [first, second] = [name.slice(0, 2), name.slice(2, 4)];
    const folder = join(directory, first, second);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await rename(temporary, join(folder, name));
    // The new names must be on stable storage too: of the file, and of the folders that may be new.
    for (const changed of [folder, join(directory, first), directory]) await syncFolder(changed);
    return { ref: `${first}/${second}/${name}`, ...written };
  } catch (error) {
    await rm(temporary, { force: true });
    throw translate(error);
  }
}

async function write(file: string, bytes: AsyncIterable<Uint8Array>, signal: AbortSignal) {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const handle = await open(file, 'wx', 0o600);
  try {
    for await (const chunk of bytes) {
      signal.throwIfAborted();
      hash.update(chunk);
      sizeBytes += chunk.length;
      await writeAll(handle, chunk);
    }
    signal.throwIfAborted();
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { sizeBytes, sha256: hash.digest('hex') };
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
}

async function* read(
  directory: string,
  ref: string,
  range?: { start: number; end: number },
): AsyncGenerator<Uint8Array> {
  if (range !== undefined && range.end <= range.start) return;
  const limits = range === undefined ? {} : { start: range.start, end: range.end - 1 };
  try {
    for await (const chunk of createReadStream(pathOf(directory, ref), { ...limits, highWaterMark: chunkBytes }))
      yield chunk;
  } catch (error) {
    throw isCode(error, 'ENOENT') ? new NotFound('body') : error;
  }
}

const chunkBytes = 256 * 1024;

/** In the order of names; `cursor` is the last reference looked at. */
async function list(directory: string, options: { olderThanMs: number; limit: number; cursor?: string }) {
  const refs: string[] = [];
  const after = options.cursor ?? '';
  for (const first of await foldersOf(directory)) {
    if (first < after.slice(0, 2)) continue;
    for (const second of await foldersOf(join(directory, first))) {
      if (`${first}/${second}` < after.slice(0, 5)) continue;
      for (const name of (await readdir(join(directory, first, second))).toSorted()) {
        const ref = `${first}/${second}/${name}`;
        if (ref <= after || !refPattern.test(ref)) continue;
        if (refs.length >= options.limit) return { refs, cursor: refs.at(-1) ?? after };
        if (await isOlder(join(directory, ref), options.olderThanMs)) refs.push(ref);
      }
    }
  }
  return { refs };
}

async function foldersOf(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && /^[0-9a-f]{2}$/.test(entry.name))
    .map(({ name }) => name)
    .toSorted();
}

async function isOlder(file: string, olderThanMs: number): Promise<boolean> {
  try {
    return Date.now() - (await stat(file)).mtimeMs > olderThanMs;
  } catch (error) {
    // Removed since its folder was read.
    if (isCode(error, 'ENOENT')) return false;
    throw error;
  }
}

function translate(error: unknown): unknown {
  if (isCode(error, 'ENOSPC') || isCode(error, 'EDQUOT')) return new StoreFull('no room for a body');
  if (isCode(error, 'EIO')) return new OutcomeUnknown('a body could not be written to the disk');
  return error;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
