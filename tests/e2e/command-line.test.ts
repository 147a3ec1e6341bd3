import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { apiClient, createAccount } from '../support/api-client.ts';
import { arrived, mine, sha256 } from '../support/reading.ts';
import { type CommandResult, runCommand } from '../support/run-command.ts';
import { startWaypost, type WaypostProcess } from '../support/waypost-process.ts';

const usedWrongly: readonly (readonly [args: readonly string[], said: RegExp])[] = [
  [[], /^Usage:/],
  [['sned'], /no command "sned"/],
  [['account'], /no command "account"/],
  [['send'], /nobody to send to/],
  [['read'], /ID is missing/],
  [['list', '--limit', 'many'], /--limit/],
  [['list', '--colour'], /--colour/],
  [['account', 'add'], /ADDRESS is missing/],
  [['account', 'add', 'x@example.test', '--quota-bytes', '1GB'], /--quota-bytes/],
  [['alias', 'add', 'x@example.test'], /TARGET is missing/],
  [['token', 'add', 'x'], /--scope is missing/],
  [['list', '--user', 'ann@example.test'], /--password/],
];

describe('the command line', () => {
  let waypost: WaypostProcess;
  let ann: Awaited<ReturnType<typeof createAccount>>;
  let ben: Awaited<ReturnType<typeof createAccount>>;
  const folder = mkdtempSync(join(tmpdir(), 'waypost-cli-'));

  before(async () => {
    waypost = await startWaypost({ WAYPOST_SAMPLE_ACCOUNTS: 'false' });
    ann = await createAccount(waypost.api, waypost.admin, 'ann@example.test');
    ben = await createAccount(waypost.api, waypost.admin, 'ben@example.test');
    for (const user of [waypost.admin, ann, ben]) writeFileSync(fileOf(user.address), `${user.password}\n`);
  });
  after(async () => {
    await waypost.dispose();
    rmSync(folder, { recursive: true });
  });

  const fileOf = (address: string): string => join(folder, address);

  function run(args: readonly string[], env: Record<string, string> = {}): Promise<CommandResult> {
    return runCommand(process.execPath, ['bin/waypost.js', ...args], { env: { WAYPOST_API_URL: waypost.api, ...env } });
  }

  /** Runs as the user; must end with 0. Answers what was printed. */
  async function as(user: { address: string }, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await run([
      ...args,
      '--user',
      user.address,
      '--password-file',
      fileOf(user.address),
    ]);
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  const jsonAs = async (user: { address: string }, ...args: string[]) => JSON.parse(await as(user, ...args, '--json'));

  it('sends with a file, lists and reads', async () => {
    const file = join(folder, 'report ü.bin');
    const content = Buffer.from(Array.from({ length: 1_000 }, (_, n) => n % 256));
    writeFileSync(file, content);
    const sent = await as(
      ann,
      'send',
      '--to',
      ben.address,
      '--subject',
      'From the shell',
      '--text',
      'line one\nline two',
      '--attach',
      file,
    );
    assert.match(sent, /^accepted as [0-9a-f-]{36}\n$/);
    const { id } = await arrived(ben, 'From the shell');
    assert.equal(sha256(await ben.bytes(`${mine}/messages/${id}/attachments/0`)), sha256(content));

    const table = await as(ben, 'list');
    assert.match(table, /^ID +RECEIVEDAT +FROM +SUBJECT\n/);
    assert.match(table, new RegExp(`^${id} .*ann@example\\.test +From the shell$`, 'm'));
    assert.deepEqual(
      (await jsonAs(ben, 'list', '--limit', '1')).map(({ subject }: { subject: string }) => subject),
      ['From the shell'],
    );
    const shown = await as(ben, 'read', id);
    assert.match(shown, /From the shell/);
    assert.match(shown, /^line one\nline two$/m);
    const message = await jsonAs(ben, 'read', id);
    assert.deepEqual([message.id, message.attachments[0].name], [id, 'report ü.bin']);
    assert.equal((await jsonAs(ann, 'list', '--mailbox', 'sent')).length, 1);
  });

  it('shows mail without what a terminal would obey', async () => {
    const evil = 'red \u001b[31m alert \u0007 \u202e txt.exe';
    await ann.request('POST', `${mine}/messages`, { to: [{ email: ben.address }], subject: 'terminal', text: evil });
    const { id } = await arrived(ben, 'terminal');
    assert.doesNotMatch(await as(ben, 'read', id), /[\u001b\u0007\u202e]/);
    assert.doesNotMatch(await as(ben, 'list'), /[\u001b\u0007\u202e]/);
  });

  it('keeps domains, accounts and aliases', async () => {
    const { admin } = waypost;
    await as(admin, 'domain', 'add', 'second.test');
    assert.deepEqual((await jsonAs(admin, 'domain', 'list')).map(({ name }: { name: string }) => name).toSorted(), [
      'example.test',
      'second.test',
    ]);
    const made = await jsonAs(admin, 'account', 'add', 'cleo@second.test', '--name', 'Cleo', '--quota-messages', '5');
    assert.equal(made.address, 'cleo@second.test');
    const cleo = apiClient(waypost.api, { address: made.address, password: made.password });
    assert.deepEqual((await cleo.get(mine)).quota, { bytes: null, messages: 5 });
    assert.equal((await jsonAs(admin, 'account', 'disable', 'cleo@second.test')).enabled, false);
    assert.equal((await jsonAs(admin, 'account', 'enable', made.id)).enabled, true);
    writeFileSync(join(folder, 'new'), 'another long password\n');
    await as(admin, 'account', 'password', 'cleo@second.test', '--new-password-file', join(folder, 'new'));
    const again = apiClient(waypost.api, { address: made.address, password: 'another long password' });
    assert.equal((await again.get(mine)).id, made.id);
    assert.match(await as(admin, 'account', 'list'), /cleo@second\.test/);
    assert.equal((await jsonAs(admin, 'account', 'show', 'cleo@second.test')).id, made.id);

    await as(admin, 'alias', 'add', 'all@second.test', 'cleo@second.test', ann.address);
    await as(admin, 'alias', 'set', 'all@second.test', ann.address);
    await as(admin, 'alias', 'add', '@second.test', ben.address);
    assert.deepEqual(await jsonAs(admin, 'alias', 'list'), [
      { address: '@second.test', targets: [ben.address] },
      { address: 'all@second.test', targets: [ann.address] },
    ]);
    await as(admin, 'alias', 'remove', 'all@second.test');
    await as(admin, 'alias', 'remove', '@second.test');
    await as(admin, 'account', 'remove', 'cleo@second.test');
    await as(admin, 'domain', 'remove', 'second.test');
    assert.equal((await jsonAs(admin, 'domain', 'list')).length, 1);
  });

  it('makes tokens and logs in with them', async () => {
    const made = await jsonAs(ann, 'token', 'add', 'reader', '--scope', 'mail:read');
    const listed = await run(['list', '--mailbox', 'sent', '--json'], { WAYPOST_API_TOKEN: made.token });
    assert.equal(listed.code, 0, listed.stderr);
    assert.ok(JSON.parse(listed.stdout).length >= 1);
    const file = join(folder, 'token');
    writeFileSync(file, `${made.token}\n`);
    const byFile = await run(['list', '--json'], { WAYPOST_API_TOKEN: '', WAYPOST_API_TOKEN_FILE: file });
    assert.deepEqual([byFile.code, byFile.stderr], [0, '']);
    const refused = await run(['send', '--to', ben.address], { WAYPOST_API_TOKEN: made.token });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /scope/);
    assert.doesNotMatch(await as(ann, 'token', 'list'), new RegExp(made.token));
    await as(ann, 'token', 'remove', made.id);
    assert.deepEqual(await jsonAs(ann, 'token', 'list'), []);
  });

  it('shows the queue: counts, a list, one delivery', async () => {
    const counts = await jsonAs(waypost.admin, 'queue', 'counts');
    assert.ok(counts.byState.delivered >= 2, JSON.stringify(counts));
    assert.match(await as(waypost.admin, 'queue', 'counts'), /delivered +\d+/);
    const items = await jsonAs(waypost.admin, 'queue', 'list', '--recipient', ben.address);
    assert.ok(items.length >= 1);
    assert.ok(items.every(({ recipient }: { recipient: string }) => recipient === ben.address));
    const one = await jsonAs(waypost.admin, 'queue', 'show', items[0].id);
    assert.deepEqual([one.id, one.state], [items[0].id, 'delivered']);
    assert.ok(one.trace.length >= 1);
    assert.match(await as(waypost.admin, 'queue', 'show', items[0].id), /^state +delivered$/m);
  });

  it('doctor says that it is well, and --verify reads the whole store while it is in use', async () => {
    assert.match(await as(waypost.admin, 'doctor'), /^api +answers$/m);
    const { code, stdout, stderr } = await run(['doctor', '--verify', '--json'], { WAYPOST_DATA_DIR: waypost.dataDir });
    assert.equal(code, 0, stderr);
    const report = JSON.parse(stdout);
    assert.equal(report.faults, 0);
    assert.ok(report.messages >= 2 && report.accounts >= 3, stdout);
  });

  it('doctor --verify names what is broken and ends with 1', async () => {
    const text = 'x'.repeat(400_000);
    await ann.request('POST', `${mine}/messages`, { to: [{ email: ben.address }], subject: 'to break', text });
    await arrived(ben, 'to break');
    const blobs = join(waypost.dataDir, 'blobs');
    const files = readdirSync(blobs, { recursive: true, encoding: 'utf8', withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    assert.equal(files.length, 1);
    const blob = join(files[0]!.parentPath, files[0]!.name);
    const bytes = readFileSync(blob);
    bytes[200_000]! ^= 1;
    writeFileSync(blob, bytes);
    const { code, stderr } = await run(['doctor', '--verify'], { WAYPOST_DATA_DIR: waypost.dataDir });
    assert.equal(code, 1);
    assert.match(stderr, /the store has faults:\n.+/);
  });

  describe('used wrongly', { concurrency: 3 }, () => {
    for (const [args, said] of usedWrongly) {
      it(`\`waypost ${args.join(' ')}\` shows the usage and ends with 2`, async () => {
        const { code, stdout, stderr } = await run(args);
        assert.equal(code, 2, stderr);
        assert.match(stdout + stderr, said);
        assert.match(stdout + stderr, /waypost \w+/, 'the usage is there');
        assert.doesNotMatch(stderr, /^\s+at /m);
      });
    }
  });

  it('refused, it says why and ends with 1', async () => {
    const login = ['--user', ann.address, '--password', ann.password];
    const refused: [string[], RegExp, Record<string, string>?][] = [
      [['list'], /WAYPOST_API_TOKEN/],
      [['list', '--user', ann.address, '--password', 'wrong'], /Authentication is needed/],
      [['list', '--user', ann.address, '--password-file', join(folder, 'nowhere')], /ENOENT/],
      [['list', ...login], /nothing answers at http:\/\/127\.0\.0\.1:1/, { WAYPOST_API_URL: 'http://127.0.0.1:1' }],
      [['domain', 'add', 'x.test', ...login], /Not allowed/],
      [['read', 'made-up', ...login], /Not found/],
    ];
    for (const [args, said, env] of refused) {
      const { code, stderr } = await run(args, env);
      assert.equal(code, 1, `${args.join(' ')}: ${stderr}`);
      assert.match(stderr, said);
      assert.doesNotMatch(stderr, /^\s+at /m);
    }
    const problem = await run(['read', 'made-up', '--json', ...login]);
    assert.equal(JSON.parse(problem.stderr).code, 'notFound', 'with --json the problem is for programs too');
  });

  it('--help shows every command and ends with 0', async () => {
    const { code, stdout } = await run(['--help']);
    assert.equal(code, 0);
    for (const name of ['start', 'send', 'domain', 'account', 'alias', 'token', 'queue', 'doctor', 'migrate']) {
      assert.match(stdout, new RegExp(`^ +waypost ${name}(?: |$)`, 'm'));
    }
  });
});
