import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

// The holder touches its lock file every second; a lock that nobody touched for this long belongs to nobody.
const STALE_AFTER_MS = 30_000;
const GIVE_UP_AFTER_MS = 15 * 60_000;

/**
 * Runs `work` while no other process on this folder does. A lock whose holder died is taken over.
 * @template T
 * @param {string} path of the lock file; its folder is made when it is missing
 * @param {(line: string) => void} say is told once when another process holds the lock
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(path, say, work) {
  mkdirSync(dirname(path), { recursive: true });
  const owner = `${hostname()} ${process.pid} ${process.hrtime.bigint()}`;
  const deadline = Date.now() + GIVE_UP_AFTER_MS;
  let told = false;
  while (!create(path, owner)) {
    if (removeStale(path)) continue;
    if (!told) say('waiting for another process that does the same');
    told = true;
    if (Date.now() > deadline) throw new Error(`${path} is held by another process; remove it if there is none`);
    await wait(100);
  }
  const beat = setInterval(() => touch(path), 1000);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    if (read(path) === owner) rmSync(path, { force: true });
  }
}

/**
 * @param {string} path
 * @param {string} owner
 */
function create(path, owner) {
  try {
    const file = openSync(path, 'wx');
    writeSync(file, owner);
    closeSync(file);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Removal has a lock of its own, so that of two that find the same dead holder the slower can't remove the faster one's new lock.
 * @param {string} path
 */
function removeStale(path) {
  if (!isStale(path)) return false;
  const guard = `${path}.removal`;
  if (ageMs(guard) > STALE_AFTER_MS) rmSync(guard, { force: true });
  if (!create(guard, '')) return false;
  try {
    if (isStale(path)) rmSync(path, { force: true });
    return true;
  } finally {
    rmSync(guard, { force: true });
  }
}

/** @param {string} path */
function isStale(path) {
  const age = ageMs(path);
  if (age > STALE_AFTER_MS) return true;
  const [host, pid] = (read(path) ?? '').split(' ');
  return age > 1000 && host === hostname() && !isAlive(Number(pid));
}

/** @param {number} pid */
function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** @param {string} path */
function ageMs(path) {
  const modified = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  return modified === undefined ? -1 : Date.now() - modified;
}

/** @param {string} path */
function touch(path) {
  try {
    const now = new Date();
    utimesSync(path, now, now);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

/** @param {string} path */
function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** @param {unknown} error */
function codeOf(error) {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
