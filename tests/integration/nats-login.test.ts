import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { TestContext } from 'node:test';
import { nkeys } from '@nats-io/transport-node';
import { BusMisconfigured } from '../../libs/bus/nats/errors.ts';
import type { NatsBusOptions } from '../../libs/bus/nats/options.ts';
import { makeSelfSigned } from '../../libs/runtime/self-signed.ts';
import { until } from '../../tools/servers/until.ts';
import { requireNats } from '../backends/require.ts';
import { natsBus } from './nats-fixture.ts';

const folder = mkdtempSync(join(tmpdir(), 'waypost-nats-login-'));
after(() => rmSync(folder, { recursive: true }));
const file = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const hour = 3_600_000;
const certificate = (names: string[]) =>
  makeSelfSigned({ names, notBeforeMs: Date.now() - hour, notAfterMs: Date.now() + hour });

test('user and password, as the URL has them', async (t) => {
  const url = await serverWith(t, 'authorization { users: [{ user: "a b", password: "p@ss" }] }');
  if (url === undefined) return;
  await works(t, { url: withUser(url, 'a%20b:p%40ss') });
  await refused(t, { url: withUser(url, 'a%20b:geheim') }, 'credentials', /WAYPOST_NATS_URL/);
  await refused(t, { url }, 'credentials', /WAYPOST_NATS_URL/);
});

test('a token', async (t) => {
  const url = await serverWith(t, 'authorization { token: "open sesame" }');
  if (url === undefined) return;
  await works(t, { url, token: 'open sesame' });
  await works(t, { url: withUser(url, 'open%20sesame') });
  await refused(t, { url, token: 'geheim' }, 'credentials', /WAYPOST_NATS_TOKEN/);
});

test('an nkey', async (t) => {
  const [known, stranger] = [nkeys.createUser(), nkeys.createUser()];
  const url = await serverWith(t, `authorization { users: [{ nkey: "${known.getPublicKey()}" }] }`);
  if (url === undefined) return;
  const seedOf = (user: typeof known): string => new TextDecoder().decode(user.getSeed());
  await works(t, { url, nkeySeed: seedOf(known) });
  await refused(t, { url, nkeySeed: seedOf(stranger) }, 'credentials', /WAYPOST_NATS_NKEY/);
  await refused(t, { url, nkeySeed: 'SUgeheim' }, 'credentials', /WAYPOST_NATS_NKEY is not the seed of a user/);
});

test('a credentials file', async (t) => {
  const [operator, account, system] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createAccount()];
  const user = nkeys.createUser();
  const accountJwt = (of: typeof account, storage: number): string => {
    const limits = { ...unlimited, mem_storage: storage, disk_storage: storage, streams: storage, consumer: storage };
    return `${of.getPublicKey()}: "${signed(operator, of.getPublicKey(), 'account', { limits })}"`;
  };
  const operatorJwt = signed(operator, operator.getPublicKey(), 'operator', { system_account: system.getPublicKey() });
  const userJwt = signed(account, user.getPublicKey(), 'user', unlimited);
  const url = await serverWith(
    t,
    `operator: "${operatorJwt}"\nresolver: MEMORY\nresolver_preload: { ${accountJwt(account, -1)}, ${accountJwt(system, 0)} }`,
  );
  if (url === undefined) return;
  const seed = new TextDecoder().decode(user.getSeed());
  const creds = `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`;
  await works(t, { url, credsFile: file('user.creds', creds) });
  const otherSeed = new TextDecoder().decode(nkeys.createUser().getSeed());
  const wrong = file('wrong.creds', creds.replace(seed, otherSeed));
  await refused(t, { url, credsFile: wrong }, 'credentials', /WAYPOST_NATS_CREDS_FILE/);
  await refused(t, { url, credsFile: file('no.creds', 'geheim') }, 'credentials', /is no credentials file/);
  await refused(t, { url, credsFile: join(folder, 'absent') }, 'credentials', /can't be read \(ENOENT\)/);
});

test('TLS with an authority of our own', async (t) => {
  const { cert, key } = certificate(['localhost', '127.0.0.1']);
  const caFile = file('cert.pem', cert);
  const url = await serverWith(t, `tls { cert_file: "${caFile}", key_file: "${file('key.pem', key)}" }`);
  if (url === undefined) return;
  await works(t, { url, caFile });
  await works(t, { url: url.replace('nats:', 'tls:'), caFile });
  await works(t, { url: url.replace('127.0.0.1', 'localhost'), caFile });
  await refused(t, { url: url.replace('nats:', 'tls:') }, 'tls', /WAYPOST_NATS_CA_FILE/);
  await refused(t, { url, caFile: file('other.pem', certificate(['localhost']).cert) }, 'tls', /not trusted/);
  await refused(t, { url, caFile: join(folder, 'absent') }, 'tls', /can't be read \(ENOENT\)/);
});

test('TLS is not given up for a server without it', async (t) => {
  const nats = await requireNats(t, { process: true });
  if (nats === undefined) return;
  const caFile = file('ca.pem', certificate(['localhost']).cert);
  await refused(t, { url: nats.url, caFile }, 'tls', /offers no TLS/);
  await refused(t, { url: nats.url.replace('nats:', 'tls:') }, 'tls', /offers no TLS/);
});

test('a certificate for another name is refused', async (t) => {
  const { cert, key } = certificate(['other.example']);
  const caFile = file('cert2.pem', cert);
  const url = await serverWith(t, `tls { cert_file: "${caFile}", key_file: "${file('key2.pem', key)}" }`);
  if (url === undefined) return;
  await refused(t, { url, caFile }, 'tls', /a host name that the certificate has/);
});

test('credentials that stop being good later are logged and tried until they are', async (t) => {
  const config = file('later.conf', 'authorization { token: "one" }');
  const nats = await requireNats(t, { config });
  if (nats?.control === undefined) return;
  const { bus, log } = await natsBus(t, { url: nats.url, token: 'one' });
  await nats.control.kill();
  file('later.conf', 'authorization { token: "two" }');
  await nats.control.start();
  await until('it is logged', 5000, async () => (/refuses our credentials/.test(log()) ? true : undefined));
  await nats.control.kill();
  file('later.conf', 'authorization { token: "one" }');
  await nats.control.start();
  await until('it is up', 5000, async () => (bus.status() === 'up' ? true : undefined));
  assert.equal(log().match(/refuses our credentials/g)?.length, 1);
});

const unlimited = { subs: -1, data: -1, payload: -1, conn: -1, leaf: -1, imports: -1, exports: -1, wildcards: true };

/** A JWT as NATS has them: signed by an nkey, its `jti` is not looked at. */
function signed(issuer: ReturnType<typeof nkeys.createUser>, subject: string, type: string, nats: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { jti: 'x', iat: Math.floor(Date.now() / 1000), iss: issuer.getPublicKey(), name: type, sub: subject };
  const text = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part({ ...claims, nats: { type, version: 2, ...nats } })}`;
  return `${text}.${Buffer.from(issuer.sign(new TextEncoder().encode(text))).toString('base64url')}`;
}

let configs = 0;
async function serverWith(t: TestContext, config: string): Promise<string | undefined> {
  return (await requireNats(t, { config: file(`server-${configs++}.conf`, config) }))?.url;
}

const withUser = (url: string, user: string): string => url.replace('//', `//${user}@`);

async function works(t: TestContext, options: Partial<NatsBusOptions> & { url: string }): Promise<void> {
  const { bus, metric } = await natsBus(t, options);
  assert.equal(bus.status(), 'up');
  assert.equal(await metric('waypost_bus_stream_ready'), 1);
  await bus.close();
}

async function refused(
  t: TestContext,
  options: Partial<NatsBusOptions> & { url: string },
  kind: BusMisconfigured['kind'],
  says: RegExp,
): Promise<void> {
  await assert.rejects(natsBus(t, options), (error) => {
    assert.ok(error instanceof BusMisconfigured, String(error));
    assert.equal(error.kind, kind);
    assert.match(error.message, says);
    assert.doesNotMatch(error.message, /geheim/);
    return true;
  });
}
