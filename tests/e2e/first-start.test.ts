import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { apiClient } from '../support/api-client.ts';
import { printedAccounts, printedCommands } from '../support/first-start.ts';
import { arrived, queueIsDone } from '../support/reading.ts';
import { projectRoot, runCommand } from '../support/run-command.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { until } from '../support/until.ts';
import { startWaypost, type WaypostProcess } from '../support/waypost-process.ts';

describe('the first start and those after it', () => {
  let waypost: WaypostProcess;
  let firstPrint: string;
  let accounts: Map<string, string>;

  before(async () => {
    // As a new user: no password given. An empty value is the same as none.
    waypost = await startWaypost({ WAYPOST_ADMIN_PASSWORD: '', WAYPOST_GRACE_PERIOD: '3s', WAYPOST_LOG_LEVEL: 'info' });
    await until('it has said that it runs', 5_000, () => waypost.stdout().includes('read the newest message'));
    firstPrint = waypost.stdout();
    accounts = printedAccounts(firstPrint);
  });
  after(() => waypost.dispose());

  it('makes the administrator, alice and bob, with passwords that work', async () => {
    assert.deepEqual([...accounts.keys()].toSorted(), ['admin@example.test', 'alice@example.test', 'bob@example.test']);
    for (const [address, password] of accounts) {
      const account = await apiClient(waypost.api, { address, password }).get('/api/v1/accounts/me');
      assert.deepEqual([account.address, account.admin], [address, address.startsWith('admin@')]);
    }
  });

  it('prints three commands that work as they are pasted: send, list, read', async () => {
    const commands = printedCommands(firstPrint);
    assert.equal(commands.length, 3, commands.join('\n'));
    const [send, list, read] = commands as [string, string, string];
    const sent = await shell(send);
    assert.deepEqual([sent.code, sent.stderr], [0, '']);
    // A person takes a moment to paste the next line.
    await arrived(
      apiClient(waypost.api, { address: 'bob@example.test', password: accounts.get('bob@example.test')! }),
      'Hello',
    );
    const listed = await shell(list);
    assert.deepEqual([listed.code, listed.stderr], [0, '']);
    const { items } = JSON.parse(listed.stdout);
    assert.deepEqual([items.length, items[0].subject], [1, 'Hello']);
    assert.ok(items[0].sentAt, 'the Date that submission has added is listed');
    const shown = await shell(read);
    assert.deepEqual([shown.code, shown.stderr], [0, '']);
    const message = JSON.parse(shown.stdout);
    assert.equal(message.id, items[0].id);
    assert.match(message.messageId, /^[0-9a-f-]{36}@mail\.example\.test$/);
    assert.deepEqual(message.from, [{ name: null, email: 'alice@example.test' }]);
    assert.equal(message.text.trim(), 'It works.');
  });

  it('says that the data directory is in use to a second process, and ends it', async () => {
    const second = await runCommand(process.execPath, ['services/main.ts', 'start'], {
      env: {
        WAYPOST_DATA_DIR: waypost.dataDir,
        WAYPOST_OPS_LISTEN: 'off',
        WAYPOST_HTTP_LISTEN: '127.0.0.1:0',
        WAYPOST_MX_LISTEN: 'off',
        WAYPOST_SUBMISSION_LISTEN: 'off',
        WAYPOST_SUBMISSIONS_LISTEN: 'off',
      },
    });
    assert.equal(second.code, 1);
    assert.equal(second.stdout, '');
    assert.match(second.stderr, new RegExp(`^Waypost can’t start:\n.*${waypost.dataDir}.*\n`));
    assert.match(second.stderr, /another|in use/i);
    assert.doesNotMatch(second.stderr, /\n\s+at /, 'no stack');
    assert.equal((await fetch(`http://127.0.0.1:${waypost.ports.ops}/readyz`)).status, 200);
  });

  it('ends on SIGTERM with 0 within the grace time, with a session open and another within DATA', async () => {
    const { client: idle } = await SmtpClient.connect(waypost.ports.mx);
    await idle.command('EHLO idle.test');
    const { client: busy } = await SmtpClient.connect(waypost.ports.mx);
    await busy.command('EHLO busy.test');
    await busy.command('MAIL FROM:<c@sender.test>');
    await busy.command('RCPT TO:<bob@example.test>');
    await busy.command('DATA');
    busy.write('Subject: while stopping\r\n\r\nhalf');
    const started = performance.now();
    const ended = waypost.terminate();
    const told = await idle.reply();
    assert.equal(told.code, 421, told.text);
    // The message under way is taken, then the session ends.
    busy.write(' and half\r\n.\r\n');
    assert.equal((await busy.reply()).code, 250);
    assert.equal((await busy.reply()).code, 421);
    assert.equal(await ended, 0);
    assert.ok(performance.now() - started < 3_000, `${performance.now() - started} ms`);
  });

  it('ends on SIGTERM in time even when a client within DATA says nothing more, and prints no password again', async () => {
    await waypost.restart();
    await until('it has said that it runs', 5_000, () =>
      waypost.stdout().slice(firstPrint.length).includes('Waypost is running'),
    );
    const secondPrint = waypost.stdout().slice(firstPrint.length);
    for (const place of ['HTTP API', 'SMTP in', 'Submission', 'Operations', waypost.dataDir, `${waypost.ports.mx}`]) {
      assert.ok(secondPrint.includes(place), `${place} in ${secondPrint}`);
    }
    for (const password of accounts.values()) {
      assert.ok(!secondPrint.includes(password));
      assert.ok(!waypost.stderr().includes(password), 'not in the log');
    }
    assert.doesNotMatch(secondPrint, /password/i);

    const bob = apiClient(waypost.api, { address: 'bob@example.test', password: accounts.get('bob@example.test')! });
    await arrived(bob, 'while stopping');
    const { client: silent } = await SmtpClient.connect(waypost.ports.mx);
    await silent.command('EHLO silent.test');
    await silent.command('MAIL FROM:<c@sender.test>');
    await silent.command('RCPT TO:<bob@example.test>');
    await silent.command('DATA');
    silent.write('Subject: never ends\r\n');
    const started = performance.now();
    assert.equal(await waypost.terminate(), 0);
    assert.ok(performance.now() - started < 4_000, `${performance.now() - started} ms`);
    silent.destroy();
  });
});

describe('a first start with the password of a file', () => {
  it('takes the administrator’s password from WAYPOST_ADMIN_PASSWORD_FILE, makes the samples, and shows only theirs', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'waypost-secret-'));
    const file = join(folder, 'password');
    writeFileSync(file, 'a password from a file\n');
    const waypost = await startWaypost({ WAYPOST_ADMIN_PASSWORD: '', WAYPOST_ADMIN_PASSWORD_FILE: file });
    try {
      const admin = apiClient(waypost.api, { address: 'admin@example.test', password: 'a password from a file' });
      assert.equal((await admin.get('/api/v1/accounts')).items.length, 3);
      await queueIsDone(admin);
      assert.ok(!waypost.stdout().includes('a password from a file'));
      assert.match(waypost.stdout(), /^ {2}alice@example\.test +\S+$/m);
    } finally {
      await waypost.dispose();
      rmSync(folder, { recursive: true });
    }
  });

  it('`npm start` is this start', () => {
    const { scripts } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'));
    assert.match(scripts.start, /services\/main\.ts start$/);
  });
});

const shell = (command: string) => runCommand('sh', ['-c', command]);
