// How tests ask for a real server. When none can be had they are skipped with one loud line, or fail where that is required.
import { randomUUID } from 'node:crypto';
import { after, type TestContext } from 'node:test';
import { type MongoOptions, type MongoReplicaSet, mongoReplicaSet } from './mongo.ts';
import { type NatsOptions, type NatsServer, natsServer } from './nats.ts';
import { type S3Server, s3Server } from './s3.ts';
import { BackendUnavailable, isRequired } from './unavailable.ts';

/** A server for the suites of one file: give `skip` to each `describe`, and use `backend` in it. */
export type FileBackend<T> = { backend: T; skip: false } | { backend: undefined; skip: string };

/**
 * For one test: a set that ends with it, or undefined after the test was marked as skipped. Hooks of `t.after` run in the order they were
 * given, so close clients before (`await using client = new MongoClient(set.url)`): one whose set is gone waits 30 s.
 */
export function requireMongo(t: TestContext, options: MongoOptions = {}): Promise<MongoReplicaSet | undefined> {
  return forTest(t, () => mongoReplicaSet(options));
}

export function requireNats(t: TestContext, options: NatsOptions = {}): Promise<NatsServer | undefined> {
  return forTest(t, () => natsServer(options));
}

export function requireS3(t: TestContext, options: { own?: boolean } = {}): Promise<S3Server | undefined> {
  return forTest(t, () => s3Server(options));
}

/** For a whole file, at its top: `const mongo = await mongoForFile()`. One set, stopped after the file's last test. */
export function mongoForFile(options: MongoOptions = {}): Promise<FileBackend<MongoReplicaSet>> {
  return forFile(() => mongoReplicaSet(options));
}

/** For a whole file, as above. */
export function natsForFile(options: NatsOptions = {}): Promise<FileBackend<NatsServer>> {
  return forFile(() => natsServer(options));
}

/** For a whole file, as above. */
export function s3ForFile(options: { own?: boolean } = {}): Promise<FileBackend<S3Server>> {
  return forFile(() => s3Server(options));
}

/** A database name of one's own: tests share a set, never a database. */
export function freshDatabase(): string {
  return `waypost_${randomUUID().slice(0, 13).replace('-', '')}`;
}

interface Stoppable {
  stop(): Promise<void>;
}

async function forTest<T extends Stoppable>(t: TestContext, open: () => Promise<T>): Promise<T | undefined> {
  const opened = await openOrSkip(open);
  if (opened.skip === false) t.after(() => opened.backend.stop());
  else t.skip(opened.skip);
  return opened.backend;
}

async function forFile<T extends Stoppable>(open: () => Promise<T>): Promise<FileBackend<T>> {
  const opened = await openOrSkip(open);
  if (opened.skip === false) after(() => opened.backend.stop());
  return opened;
}

async function openOrSkip<T>(open: () => Promise<T>): Promise<FileBackend<T>> {
  try {
    return { backend: await open(), skip: false };
  } catch (error) {
    if (!(error instanceof BackendUnavailable) || isRequired(process.env)) throw error;
    process.stderr.write(`SKIPPED (CONTRIBUTING.md says how to get the servers): ${error.message}\n`);
    return { backend: undefined, skip: error.message };
  }
}
