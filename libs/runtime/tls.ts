import { X509Certificate, createPrivateKey } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import type { Logger } from '../ops/logger.ts';
import type { Clock } from './clock.ts';
import { makeSelfSigned } from './self-signed.ts';

/** The certificate in use (PEM), and word of a new one. */
export interface TlsMaterial {
  current(): { cert: Buffer; key: Buffer };
  onChange(listener: () => void): void;
  /** Of the certificate chain; a client that is told to trust it can check ours when it is self-signed. */
  readonly certFile: string;
  readonly selfSigned: boolean;
  /** Stops watching the files. */
  close(): Promise<void>;
}

export interface TlsOptions {
  config: {
    dataDir: string;
    hostname: string;
    domain: string;
    tlsCertFile?: string | undefined;
    tlsKeyFile?: string | undefined;
  };
  clock: Clock;
  log: Logger;
  pollMs?: number;
}

/** The configured files can't be used as a certificate; the message says why, for people. */
export class TlsFilesUnusable extends Error {
  override readonly name = 'TlsFilesUnusable';
}

/**
 * Reads certificate and key from the configured files, or makes a self-signed pair in `<dataDir>/tls` at the first start. The files are looked at every few
 * seconds (an orchestrator swaps links, which file events don't tell); a new pair that fits is used from then on, one that doesn't is logged and the
 * old one stays. Rejects with {@link TlsFilesUnusable}.
 */
export async function openTls(options: TlsOptions): Promise<TlsMaterial> {
  const { config, clock, log } = options;
  const given = config.tlsCertFile !== undefined && config.tlsKeyFile !== undefined;
  const files = given
    ? { cert: config.tlsCertFile ?? '', key: config.tlsKeyFile ?? '' }
    : await ensureSelfSigned(config, clock.nowMs());
  let seen = await signature(files);
  let pair = await readPair(files);
  const listeners = new Set<() => void>();
  const closing = new AbortController();

  const lookAgain = async (): Promise<void> => {
    const now = await signature(files);
    if (now === seen) return;
    pair = await readPair(files);
    // Only then: a pair that was caught half written is read again.
    seen = now;
    log.info({ certFile: files.cert }, 'a new certificate is in use');
    for (const listener of listeners) listener();
  };
  const watching = watch(lookAgain, closing.signal, options);
  return {
    current: () => pair,
    onChange: (listener) => {
      listeners.add(listener);
    },
    certFile: files.cert,
    selfSigned: !given,
    close: async () => {
      closing.abort();
      await watching;
    },
  };
}

interface Files {
  cert: string;
  key: string;
}

const defaultPollMs = 3000;

async function watch(
  lookAgain: () => Promise<void>,
  signal: AbortSignal,
  { clock, log, pollMs }: TlsOptions,
): Promise<void> {
  let complained = '';
  for (;;) {
    await clock.sleep(pollMs ?? defaultPollMs, signal);
    if (signal.aborted) return;
    try {
      await lookAgain();
      complained = '';
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      // Once for each trouble, not every few seconds.
      if (message !== complained) log.error({ err: error }, 'the new certificate is not usable; the old one stays');
      complained = message;
    }
  }
}

async function signature(files: Files): Promise<string> {
  const parts: string[] = [];
  for (const file of [files.cert, files.key]) {
    const { ino, mtimeMs, size } = await stat(file).catch((error: unknown) => unusable(file, error));
    parts.push(`${ino}:${mtimeMs}:${size}`);
  }
  return parts.join(' ');
}

async function readPair(files: Files): Promise<{ cert: Buffer; key: Buffer }> {
  const cert = await readFile(files.cert).catch((error: unknown) => unusable(files.cert, error));
  const key = await readFile(files.key).catch((error: unknown) => unusable(files.key, error));
  try {
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
      throw new Error('the key is of another certificate');
    createSecureContext({ cert, key });
  } catch (error) {
    unusable(`${files.cert} with ${files.key}`, error);
  }
  return { cert, key };
}

function unusable(what: string, error: unknown): never {
  throw new TlsFilesUnusable(`${what}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}

const dayMs = 86_400_000;
/** Past 825 days some clients refuse a certificate that they were told to trust. */
const validDays = 800;
const renewBeforeDays = 30;

/** The pair of an earlier start, unless it is for other names or near its end. */
async function ensureSelfSigned(config: TlsOptions['config'], nowMs: number): Promise<Files> {
  const folder = join(config.dataDir, 'tls');
  const files = { cert: join(folder, 'self-signed.crt'), key: join(folder, 'self-signed.key') };
  if (await isStillGood(files, config.hostname, nowMs)) return files;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await alone(join(folder, 'making'), async () => {
    // Another process that shares the directory may have made it meanwhile.
    if (await isStillGood(files, config.hostname, nowMs)) return;
    await makePair(config, files, nowMs);
  });
  return files;
}

async function makePair(config: TlsOptions['config'], files: Files, nowMs: number): Promise<void> {
  const names = [...new Set([config.hostname, config.domain, 'localhost', '127.0.0.1'])];
  const pair = makeSelfSigned({ names, notBeforeMs: nowMs - dayMs, notAfterMs: nowMs + validDays * dayMs });
  await replace(files.key, pair.key, 0o600);
  await replace(files.cert, pair.cert, 0o644);
}

/** Of processes that share a directory one at a time does `work`. A mark that was left by one that died counts for no longer than the work takes. */
async function alone(mark: string, work: () => Promise<void>): Promise<void> {
  const giveUpAtMs = performance.now() + markLastsMs;
  while (!(await isMarked(mark)) && performance.now() < giveUpAtMs) await wait(markPollMs);
  try {
    await work();
  } finally {
    await rm(mark, { recursive: true, force: true });
  }
}

const markLastsMs = 5_000;
const markPollMs = 50;

/** Making a directory is one step: it fails where there is one. */
async function isMarked(mark: string): Promise<boolean> {
  try {
    await mkdir(mark);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

async function isStillGood(files: Files, hostname: string, nowMs: number): Promise<boolean> {
  try {
    const { cert } = await readPair(files);
    const certificate = new X509Certificate(cert);
    return (
      certificate.checkHost(hostname) !== undefined &&
      certificate.validToDate.getTime() - nowMs > renewBeforeDays * dayMs
    );
  } catch {
    // None yet, or damaged: a new one is made, and nothing depends on the old.
    return false;
  }
}

async function replace(file: string, content: string, mode: number): Promise<void> {
  const fresh = `${file}.new`;
  await writeFile(fresh, content, { mode });
  await rename(fresh, file);
}
