import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runCommand } from '../support/run-command.ts';

const folder = mkdtempSync(join(tmpdir(), 'waypost-rights-'));
after(() => rmSync(folder, { recursive: true }));

const command = (...args: string[]) => runCommand(process.execPath, ['deploy/rights/rights.ts', ...args]);

test('users of NATS are made in a folder, those that are named and readers of one’s own', async () => {
  const all = await command('nats', '--out', folder, '--reader', 'billing');
  assert.deepEqual([all.code, all.stderr], [0, '']);
  const made = readdirSync(folder);
  for (const user of ['auth', 'ingress', 'queue', 'delivery', 'mailbox', 'migrate', 'events-reader', 'billing']) {
    assert.ok(made.includes(`${user}.nkey`), user);
  }
  assert.ok(made.includes('nats-users.conf'));
});

test('--print shows what would be made, and makes nothing', async () => {
  const before = readdirSync(folder);
  const mongodb = await command('mongodb', '--print', '--only', 'ingress', '--database', 'mail');
  assert.equal(mongodb.code, 0);
  assert.match(mongodb.stdout, /^use mail\n/);
  assert.match(mongodb.stdout, /createRole\(\{ role: "waypost-ingress"/);
  assert.match(
    mongodb.stdout,
    /\{"resource":\{"db":"mail","collection":"accepts"\},"actions":\["find","insert","update"\]\}/,
  );
  assert.match(mongodb.stdout, /pwd: passwordPrompt\(\)/);
  assert.doesNotMatch(mongodb.stdout, /waypost-auth/);
  const nats = await command('nats', '--print', '--only', 'auth');
  assert.match(nats.stdout, /authorization \{[^]*"waypost\.request\.auth\.verify"/);
  assert.deepEqual(readdirSync(folder), before);
});

test('wrong use is told', async () => {
  for (const args of [
    [],
    ['redis'],
    ['nats'],
    ['nats', '--print', '--only', 'postman'],
    ['mongodb', '--out', folder],
  ]) {
    const answer = await command(...args);
    assert.equal(answer.code, 2, args.join(' '));
    assert.match(answer.stderr, /usage: npm run rights/);
  }
});
