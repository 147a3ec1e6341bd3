import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rename, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect, createServer } from 'node:tls';
import { createLogger } from '../ops/logger.ts';
import { systemClock } from './clock.ts';
import { makeSelfSigned } from './self-signed.ts';
import { TlsFilesUnusable, openTls } from './tls.ts';

const log = createLogger({ level: 'silent', service: 'test' });
const names = { hostname: 'mail.example.test', domain: 'example.test' };
const folder = (): Promise<string> => mkdtemp(join(tmpdir(), 'waypost-tls-'));
const inDays = (days: number): number => Date.now() + days * 86_400_000;

test('the first start makes a certificate that a client can check, and keeps it', async () => {
  const dataDir = await folder();
  const first = await openTls({ config: { dataDir, ...names }, clock: systemClock, log });
  assert.equal(first.selfSigned, true);
  assert.equal((await stat(join(dataDir, 'tls/self-signed.key'))).mode & 0o777, 0o600);

  const server = createServer(first.current(), (socket) => socket.end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  for (const host of ['127.0.0.1', 'localhost']) {
    const socket = connect({
      host: '127.0.0.1',
      port: port ?? 0,
      servername: 'localhost',
      ca: first.current().cert,
      checkServerIdentity: () => undefined,
    });
    await once(socket, 'secureConnect');
    assert.equal(socket.authorized, true, host);
    socket.destroy();
  }
  server.close();
  const certificate = new X509Certificate(first.current().cert);
  assert.equal(certificate.checkHost('mail.example.test'), 'mail.example.test');
  assert.equal(certificate.checkIP('127.0.0.1'), '127.0.0.1');

  const second = await openTls({ config: { dataDir, ...names }, clock: systemClock, log });
  assert.deepEqual(second.current(), first.current());
  const other = await openTls({
    config: { dataDir, hostname: 'mx.example.org', domain: 'example.org' },
    clock: systemClock,
    log,
  });
  assert.notDeepEqual(other.current(), first.current());
  for (const one of [first, second, other]) await one.close();
});

test('new files are used when they fit together, and ignored while they do not', async () => {
  const dir = await folder();
  const files = { tlsCertFile: join(dir, 'c.pem'), tlsKeyFile: join(dir, 'k.pem') };
  const make = () => makeSelfSigned({ names: ['a.example'], notBeforeMs: inDays(-1), notAfterMs: inDays(10) });
  const [first, second] = [make(), make()];
  await writeFile(files.tlsCertFile, first.cert);
  await writeFile(files.tlsKeyFile, first.key);
  const trouble = Promise.withResolvers<void>();
  const watched = createLogger({ level: 'error', service: 'test', destination: { write: () => trouble.resolve() } });
  const tls = await openTls({
    config: { dataDir: dir, ...names, ...files },
    clock: systemClock,
    log: watched,
    pollMs: 5,
  });
  const changed = Promise.withResolvers<void>();
  tls.onChange(changed.resolve);

  await writeFile(`${files.tlsCertFile}.new`, second.cert);
  await rename(`${files.tlsCertFile}.new`, files.tlsCertFile);
  await trouble.promise;
  assert.equal(tls.current().cert.toString(), first.cert);

  await writeFile(`${files.tlsKeyFile}.new`, second.key);
  await rename(`${files.tlsKeyFile}.new`, files.tlsKeyFile);
  await changed.promise;
  assert.equal(tls.current().cert.toString(), second.cert);
  await tls.close();
});

test('files that are missing or of no use stop the start with a clear error', async () => {
  const dir = await folder();
  const config = { dataDir: dir, ...names, tlsCertFile: join(dir, 'none.pem'), tlsKeyFile: join(dir, 'none.key') };
  await assert.rejects(openTls({ config, clock: systemClock, log }), (error) => {
    assert.ok(error instanceof TlsFilesUnusable);
    assert.match(error.message, /none\.pem.*ENOENT/);
    return true;
  });
});
