import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { SmtpClient } from './smtp-client.ts';

/** A session over STARTTLS that has said EHLO again. */
export async function startTls(port: number): Promise<SmtpClient> {
  const { client } = await SmtpClient.connect(port);
  assert.equal((await client.command('EHLO client.test')).code, 250);
  assert.equal((await client.command('STARTTLS')).code, 220);
  client.socket.removeAllListeners('data');
  const secure = connect({ socket: client.socket, rejectUnauthorized: false });
  await once(secure, 'secureConnect');
  const session = SmtpClient.over(secure);
  assert.equal((await session.command('EHLO client.test')).code, 250);
  return session;
}

/** A session with TLS from the first octet that has said EHLO. */
export async function implicitTls(port: number): Promise<SmtpClient> {
  const secure = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(secure, 'secureConnect');
  const session = SmtpClient.over(secure);
  assert.equal((await session.reply()).code, 220);
  assert.equal((await session.command('EHLO client.test')).code, 250);
  return session;
}

/** The argument of AUTH PLAIN (RFC 4616). */
export const plainLogin = (user: string, password: string): string =>
  Buffer.from(`\0${user}\0${password}`).toString('base64');
