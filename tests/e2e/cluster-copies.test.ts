import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { MongoClient } from 'mongodb';
import { mongoForFile } from '../backends/require.ts';
import { type ApiClient, apiClient, createAccount } from '../support/api-client.ts';
import { type ClusterSystem, startCluster } from '../support/cluster.ts';
import { printedAccounts } from '../support/first-start.ts';
import { arrived, mine } from '../support/reading.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { implicitTls, plainLogin } from '../support/smtp-tls.ts';

/** Only says whether servers can be had: the cluster brings its own. */
const { skip } = await mongoForFile();

/** A change is seen everywhere after so long, whichever copy made it; also while NATS is away. */
const agreeMs = 2_000;

/** Whether a copy shows what is waited for. */
type Look = () => Promise<boolean>;

describe('two copies of each service', { skip }, () => {
  let cluster: ClusterSystem;
  let admin: ApiClient;

  before(async () => {
    const copies = { auth: 2, ingress: 2, queue: 2, mailbox: 2 };
    cluster = await startCluster({ copies, environment: { WAYPOST_SAMPLE_ACCOUNTS: 'true' } });
    admin = apiClient(cluster.api, cluster.admin);
  });
  after(() => cluster?.dispose());

  const portsOf = (service: 'auth' | 'mailbox' | 'queue', port: 'http' | 'ops' = 'http'): string[] =>
    cluster.services[service].map(({ ports }) => `http://127.0.0.1:${ports[port]}`);
  const mx = (): number[] => cluster.services.ingress.map(({ ports }) => ports.mx);

  /**
   * `change` is seen by every look that begins more than `limitMs` after it was answered. None sees it before, so that what copies keep in memory is the old.
   */
  async function seenEverywhere(
    looks: readonly Look[],
    change: () => Promise<unknown>,
    limitMs = agreeMs,
  ): Promise<void> {
    assert.deepEqual(
      await Promise.all(looks.map((look) => look())),
      Array.from(looks, () => false),
    );
    await change();
    const changedMs = performance.now();
    await Promise.all(
      looks.map(async (look, n) => {
        for (let begunMs = performance.now(); !(await look()); begunMs = performance.now()) {
          assert.ok(begunMs - changedMs <= limitMs, `copy ${n} does not see it after ${limitMs} ms`);
        }
      }),
    );
  }

  async function changed(client: ApiClient, method: string, path: string, body?: unknown): Promise<unknown> {
    const answer = await client.request(method, path, body);
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  const rcpt = async (port: number, address: string): Promise<string> => {
    const { client } = await SmtpClient.connect(port);
    await client.command('EHLO a.test');
    await client.command('MAIL FROM:<c@sender.test>');
    const { text } = await client.command(`RCPT TO:<${address}>`);
    client.destroy();
    return text;
  };
  /** RCPT at each ingress. */
  const rcptSays = (address: string, says: RegExp): Look[] =>
    mx().map((port) => async () => says.test(await rcpt(port, address)));

  let networks = 0;
  /** Each from a network of its own: what is refused here on purpose mustn't lead to a limit. */
  const status = async (base: string, path: string, authorization: string): Promise<number> => {
    const answer = await fetch(base + path, { headers: { authorization, ...cameFrom(`10.0.${networks++}.1`) } });
    await answer.body?.cancel();
    return answer.status;
  };
  const cameFrom = (address: string) => ({ 'x-forwarded-for': address, 'x-forwarded-proto': 'https' });
  const basic = (user: string, password: string): string =>
    `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

  /** Whether the copies of every service that has logins take (or refuse) this one. */
  const logins = (user: string, password: string, good: boolean): Look[] => [
    ...portsOf('mailbox').map((base) => async () => {
      const code = await status(base, `${mine}/mailboxes`, basic(user, password));
      return good ? code === 200 : code === 401;
    }),
    ...portsOf('queue').map((base) => async () => {
      // Known, and not allowed.
      const code = await status(base, '/api/v1/queue/counts', basic(user, password));
      return good ? code === 403 : code === 401;
    }),
    ...submissions(user, password, good),
  ];
  const submissions = (user: string, password: string, good: boolean): Look[] =>
    cluster.services.ingress.map(({ ports }) => async () => {
      const client = await implicitTls(ports.submissions);
      const { code } = await client.command(`AUTH PLAIN ${plainLogin(user, password)}`);
      client.destroy();
      return good ? code === 235 : code === 535;
    });

  it('that start at once on an empty database make the first accounts once, and one of them tells their passwords', async () => {
    const told = cluster.services.auth.map((copy) => copy.stdout()).filter((text) => text.includes('the first start'));
    assert.equal(told.length, 1);
    const accounts = printedAccounts(told.join(''));
    const { items } = await admin.get('/api/v1/accounts');
    const addresses = items.map(({ address }: { address: string }) => address).toSorted();
    assert.deepEqual(addresses, ['admin@example.test', 'alice@example.test', 'bob@example.test']);
    for (const name of ['alice@example.test', 'bob@example.test']) {
      await apiClient(cluster.api, { address: name, password: accounts.get(name) ?? '' }).get(`${mine}/mailboxes`);
    }
    const domains = await admin.get('/api/v1/domains');
    assert.deepEqual(
      domains.items.map(({ name }: { name: string }) => name),
      ['example.test'],
    );
  });

  it('show the whole API, and problem details for what they don’t serve', async () => {
    const documents = new Set<string>();
    for (const base of [...portsOf('auth'), ...portsOf('mailbox'), ...portsOf('queue')]) {
      const answer = await fetch(`${base}/api/openapi.json`);
      assert.equal(answer.status, 200);
      documents.add(await answer.text());
    }
    assert.equal(documents.size, 1);
    const { paths } = JSON.parse([...documents].join(''));
    for (const path of ['/api/v1/domains', '/api/v1/queue/counts', '/api/v1/accounts/{account}/messages']) {
      assert.ok(path in paths, path);
    }
    for (const [service, method, path, code] of [
      ['auth', 'GET', `${mine}/messages`, 404],
      ['auth', 'PUT', '/api/v1/domains', 405],
      ['mailbox', 'GET', '/api/v1/domains', 404],
      ['mailbox', 'PUT', `${mine}/messages`, 405],
      ['queue', 'GET', '/api/v1/accounts', 404],
      ['queue', 'DELETE', '/api/v1/queue/counts', 405],
    ] as const) {
      for (const base of portsOf(service)) {
        const answer = await apiClient(base, cluster.admin).request(method, path);
        assert.equal(answer.status, code, `${service} ${method} ${path}`);
        assert.equal(answer.headers.get('content-type'), 'application/problem+json');
        assert.equal(answer.body.status, code);
      }
    }
  });

  it('agree on a changed password, a disabled account and a removed one', async () => {
    const ann = await createAccount(cluster.api, cluster.admin, 'ann@example.test');
    const account = `/api/v1/accounts/${ann.id}`;
    const [one, other] = portsOf('mailbox').map((base) => apiClient(base, cluster.admin)) as [ApiClient, ApiClient];
    const next = 'another password';
    await seenEverywhere(logins(ann.address, ann.password, false), () =>
      changed(one, 'PATCH', account, { password: next }),
    );
    for (const good of logins(ann.address, next, true)) assert.equal(await good(), true);
    await seenEverywhere([...logins(ann.address, next, false), ...rcptSays(ann.address, /^550 5\.2\.1/)], () =>
      changed(other, 'PATCH', account, { enabled: false }),
    );
    await seenEverywhere(rcptSays(ann.address, /^250/), () => changed(one, 'PATCH', account, { enabled: true }));
    // No refusal is kept, so it is good at once; to try until it is would be too many failed logins.
    for (const good of logins(ann.address, next, true)) assert.equal(await good(), true);
    await seenEverywhere([...logins(ann.address, next, false), ...rcptSays(ann.address, /^550 5\.1\.1/)], () =>
      changed(other, 'DELETE', account),
    );
  });

  it('agree on an application password and a token that are gone', async () => {
    const amy = await createAccount(cluster.api, cluster.admin, 'amy@example.test');
    const app = (await changed(amy, 'POST', `${mine}/app-passwords`, { name: 'phone' })) as {
      id: string;
      password: string;
    };
    await seenEverywhere(submissions(amy.address, app.password, false), () =>
      changed(apiClient(portsOf('mailbox')[1]!, amy), 'DELETE', `${mine}/app-passwords/${app.id}`),
    );
    const [first, second] = portsOf('auth').map((base) => apiClient(base, cluster.admin)) as [ApiClient, ApiClient];
    const scopes = ['mail:read', 'directory:read', 'queue:read'];
    const { id, token } = (await changed(first, 'POST', '/api/v1/tokens', { name: 'reader', scopes })) as {
      id: string;
      token: string;
    };
    const paths = { mailbox: `${mine}/mailboxes`, auth: '/api/v1/domains', queue: '/api/v1/queue/counts' };
    const refused = (['mailbox', 'auth', 'queue'] as const).flatMap((service) =>
      portsOf(service).map((base) => async () => {
        const code = await status(base, paths[service], `Bearer ${token}`);
        assert.ok(code === 200 || code === 401, `${service}: ${code}`);
        return code === 401;
      }),
    );
    await seenEverywhere(refused, () => changed(second, 'DELETE', `/api/v1/tokens/${id}`));
  });

  it('agree on aliases, domains, quotas, and on whom one may write as', async () => {
    const eve = await createAccount(cluster.api, cluster.admin, 'eve@example.test');
    const off = await createAccount(cluster.api, cluster.admin, 'off@example.test');
    await changed(admin, 'PATCH', `/api/v1/accounts/${off.id}`, { enabled: false });
    const [first, second] = portsOf('auth').map((base) => apiClient(base, cluster.admin)) as [ApiClient, ApiClient];
    const alias = 'sales@example.test';
    const path = `/api/v1/aliases/${alias}`;

    await seenEverywhere(rcptSays(alias, /^250/), () =>
      changed(first, 'POST', '/api/v1/aliases', { address: alias, targets: [off.address, eve.address] }),
    );
    await seenEverywhere(rcptSays(alias, /^550 5\.2\.1/), () =>
      changed(second, 'PATCH', path, { targets: [off.address] }),
    );
    await changed(first, 'PATCH', path, { targets: [eve.address] });
    const sendAs = portsOf('mailbox').map((base) => async () => {
      const mail = { from: { email: alias }, to: [{ email: eve.address }], subject: 'x', text: 'x' };
      return (await apiClient(base, eve).request('POST', `${mine}/messages`, mail)).status !== 202;
    });
    await seenEverywhere([...rcptSays(alias, /^550 5\.1\.1/), ...sendAs], () => changed(second, 'DELETE', path));

    await seenEverywhere(rcptSays('any@second.test', /^550 5\.1\.1/), () =>
      changed(second, 'POST', '/api/v1/domains', { name: 'second.test' }),
    );

    const { client } = await SmtpClient.connect(mx()[0]!);
    await client.command('EHLO a.test');
    assert.equal((await client.send('c@sender.test', [eve.address], 'Subject: one\r\n\r\nx\r\n')).final.code, 250);
    client.destroy();
    await arrived(eve, 'one');
    const quotaPath = `/api/v1/accounts/${eve.id}`;
    const full = { quota: { bytes: null, messages: 1 } };
    await seenEverywhere(rcptSays(eve.address, /^452 4\.2\.2/), () => changed(admin, 'PATCH', quotaPath, full));
    const free = { quota: { bytes: null, messages: null } };
    await seenEverywhere(rcptSays(eve.address, /^250/), () => changed(admin, 'PATCH', quotaPath, free));
  });

  it('count failed logins together', async () => {
    const max = await createAccount(cluster.api, cluster.admin, 'max@example.test');
    const bases = portsOf('mailbox');
    const network = cameFrom('198.51.100.7');
    const tries = async (password: string, base: string): Promise<number> =>
      (await apiClient(base, { ...max, password }).request('GET', `${mine}/mailboxes`, undefined, network)).status;
    const codes: number[] = [];
    for (let n = 0; n < 10; n += 1) codes.push(await tries(`wrong ${n}`, bases[n % 2]!));
    assert.deepEqual(new Set(codes), new Set([401]));
    for (const base of bases) assert.equal(await tries(max.password, base), 429);
    // From elsewhere the user is not locked out.
    await max.get(`${mine}/mailboxes`);
    const failures = await Promise.all(
      portsOf('auth', 'ops').map(async (base) => {
        const text = await (await fetch(`${base}/metrics`)).text();
        return /^waypost_login_failures_total\{[^}]*invalid[^}]*\} [1-9]/m.test(text);
      }),
    );
    assert.deepEqual(failures, [true, true], 'both have refused some');
  });

  it('agree within the same time while NATS is away', async () => {
    const [first, second] = portsOf('auth').map((base) => apiClient(base, cluster.admin)) as [ApiClient, ApiClient];
    const alias = 'later@example.test';
    await changed(first, 'POST', '/api/v1/aliases', { address: alias, targets: ['alice@example.test'] });
    const scopes = ['mail:read', 'directory:read'];
    const { id, token } = (await changed(first, 'POST', '/api/v1/tokens', { name: 'x', scopes })) as {
      id: string;
      token: string;
    };
    await second.get('/api/v1/domains');
    const refused = portsOf('mailbox').map((base) => async () => {
      const code = await status(base, `${mine}/mailboxes`, `Bearer ${token}`);
      // Auth can't be asked any more: 503, not 200.
      return code !== 200;
    });
    const looks = [...rcptSays(alias, /^550 5\.1\.1/), ...refused];
    for (const look of looks) assert.equal(await look(), false);
    const nats = cluster.nats.control;
    assert.ok(nats);
    await nats.kill();
    await seenEverywhere(looks, async () => {
      await changed(second, 'DELETE', `/api/v1/aliases/${alias}`);
      await changed(second, 'DELETE', `/api/v1/tokens/${id}`);
    });
    await nats.start();
  });

  it('that find a first start which was cut short end it together: one tells the passwords, and they are good', async () => {
    const copies = cluster.services.auth;
    await Promise.all(copies.map((copy) => copy.kill()));
    const url = readFileSync(join(dirname(cluster.dataDir), 'rights', 'auth.mongodb-url'), 'utf8').trim();
    await using client = new MongoClient(url);
    // The domain is there.
    for (const name of ['accounts', 'addresses', 'credentials']) await client.db().collection(name).deleteMany({});
    const before = copies.map((copy) => copy.stdout().length);
    await Promise.all(copies.map((copy) => copy.start()));
    const printed = copies.map((copy, n) => copy.stdout().slice(before[n]));
    const told = printed.filter((text) => text.includes('the first start'));
    assert.equal(told.length, 1);
    const passwords = printedAccounts(told.join(''));
    for (const name of ['alice@example.test', 'bob@example.test']) {
      await apiClient(cluster.api, { address: name, password: passwords.get(name) ?? '' }).get(`${mine}/mailboxes`);
    }
    assert.equal((await admin.get('/api/v1/accounts')).items.length, 3);
  });
});
