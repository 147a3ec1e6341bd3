import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { openFileBlobs } from '../../libs/blobs/file.ts';
import type { Blobs } from '../../libs/blobs/port.ts';
import { loadConfig } from '../../libs/config/load.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { makeSelfSigned } from '../../libs/runtime/self-signed.ts';
import type { Account, Directory } from '../../libs/store/ports/directory.ts';
import type { Spool, SpooledMessage } from '../../libs/store/ports/spool.ts';
import { createIngress, type Ingress, type ListenerName } from '../../services/ingress/main.ts';
import type { IngressLimits } from '../../services/ingress/limits.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { type AuthFixture, openAuth } from './auth-fixture.ts';

export interface IngressFixture {
  ingress: Ingress;
  auth: AuthFixture;
  metrics: Registry;
  blobs: Blobs;
  port: (listener: ListenerName) => number;
  /** A session that has said EHLO (LHLO), on TLS where the listener begins with it. */
  session: (listener: ListenerName) => Promise<SmtpClient>;
  /** A submission session with TLS from the first octet, logged in as alice. */
  aliceSession: () => Promise<SmtpClient>;
  /** The stored message that a 250 has named. */
  stored: (reply: { code: number; text: string }) => Promise<SpooledMessage>;
  /** The bytes that were received. */
  body: (message: SpooledMessage) => Promise<Buffer>;
  /** How many messages were accepted. */
  accepted: () => Promise<number>;
  addAccount: (address: string, more?: Partial<Account>) => Promise<string>;
  addAlias: (address: string, ...targets: string[]) => Promise<void>;
  /** Puts another certificate in use, and answers it. */
  renewCertificate: () => string;
}

export interface IngressOptions {
  limits?: Partial<IngressLimits>;
  env?: Record<string, string>;
  /** Stands between ingress and the store. */
  spool?: (spool: Spool) => Spool;
  directory?: (directory: Directory) => Directory;
}

/** Ingress on all four listeners with auth beside it, a real store and real sockets. No greeting is delayed. */
export async function openIngress(
  t: Pick<TestContext, 'after'>,
  options: IngressOptions = {},
): Promise<IngressFixture> {
  const auth = await openAuth();
  const folder = await mkdtemp(join(tmpdir(), 'waypost-ingress-'));
  const blobs = await openFileBlobs(join(folder, 'blobs'));
  const metrics = new Registry();
  const certificate = rotatingCertificate();
  const ingress = createIngress({
    config: loadConfig({ ...listenAnywhere, WAYPOST_DATA_DIR: folder, ...options.env }),
    clock: auth.clock,
    log: pino({ level: process.env['WAYPOST_TEST_LOG_LEVEL'] ?? 'silent' }),
    metrics,
    bus: auth.bus,
    directory: options.directory?.(auth.store.directory) ?? auth.store.directory,
    mailboxes: auth.store.mailboxes,
    spool: options.spool?.(auth.store.spool) ?? auth.store.spool,
    blobs,
    tls: certificate,
    limits: { greetingDelayMs: 0, ...options.limits },
  });
  await ingress.start();
  t.after(async () => {
    await ingress.stop(0);
    await auth.close();
    await rm(folder, { recursive: true });
  });
  const port = (listener: ListenerName): number => ingress.address(listener)?.port ?? assert.fail(`${listener} is off`);
  const session = async (listener: ListenerName): Promise<SmtpClient> => {
    const client =
      listener === 'submissions'
        ? await secureClient(port(listener))
        : (await SmtpClient.connect(port(listener))).client;
    t.after(() => client.destroy());
    if (listener === 'submissions') assert.equal((await client.reply()).code, 220);
    assert.equal((await client.command(`${listener === 'lmtp' ? 'LHLO' : 'EHLO'} client.example`)).code, 250);
    return client;
  };
  return {
    ingress,
    auth,
    metrics,
    blobs,
    port,
    session,
    async aliceSession() {
      const client = await session('submissions');
      assert.equal((await client.command(`AUTH PLAIN ${plain('alice@example.test', auth.passwords.alice)}`)).code, 235);
      return client;
    },
    async stored(reply) {
      const id =
        /^250 2\.6\.0 Message queued as (\S+)$/.exec(reply.text)?.[1] ?? assert.fail(`not accepted: ${reply.text}`);
      return (await auth.store.spool.read([id])).get(id) ?? assert.fail(`${id} is not stored`);
    },
    async body({ body }) {
      if (body.kind === 'inline') return Buffer.from(body.bytes);
      return Buffer.concat(await Array.fromAsync(blobs.read(body.ref)));
    },
    async accepted() {
      return (await auth.store.deliveries.list({}, { limit: 1000 })).length;
    },
    async addAccount(address, more = {}) {
      const id = newId();
      const account: Account = { ...blankAccount, id, key: address, address, createdAt: Date.now(), ...more };
      await auth.store.directoryAdmin.addAccount(account, 'no password');
      await auth.store.mailboxes.setQuota(id, account.quota);
      return id;
    },
    addAlias: (address, ...targets) =>
      auth.store.directoryAdmin.addAlias({ key: address, address, targets, createdAt: Date.now() }),
    renewCertificate: certificate.renew,
  };
}

/** The argument of AUTH PLAIN (RFC 4616). */
export const plain = (username: string, password: string): string =>
  Buffer.from(`\0${username}\0${password}`).toString('base64');

export async function secureClient(port: number): Promise<SmtpClient> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  return SmtpClient.over(socket);
}

/** The same session with TLS, after the 220 to STARTTLS. */
export async function upgrade(client: SmtpClient): Promise<SmtpClient> {
  client.socket.removeAllListeners('data');
  const socket = connectTls({ socket: client.socket, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  return SmtpClient.over(socket);
}

const listenAnywhere = {
  WAYPOST_MX_LISTEN: '127.0.0.1:0',
  WAYPOST_SUBMISSION_LISTEN: '127.0.0.1:0',
  WAYPOST_SUBMISSIONS_LISTEN: '127.0.0.1:0',
  WAYPOST_LMTP_LISTEN: '127.0.0.1:0',
};

const blankAccount = {
  displayName: null,
  enabled: true,
  admin: false,
  quota: { bytes: null, messages: null },
  credentialVersion: 1,
};

function rotatingCertificate() {
  const listeners: (() => void)[] = [];
  const make = () =>
    makeSelfSigned({
      names: ['mail.example.test'],
      notBeforeMs: Date.now() - 60_000,
      notAfterMs: Date.now() + 3_600_000,
    });
  let pair = make();
  return {
    current: () => pair,
    onChange: (listener: () => void) => void listeners.push(listener),
    renew: () => {
      pair = make();
      for (const listener of listeners) listener();
      return pair.cert;
    },
  };
}
