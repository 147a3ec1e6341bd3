import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { runCommand } from '../support/run-command.ts';
import { until } from '../support/until.ts';
import { startWaypost, type WaypostProcess } from '../support/waypost-process.ts';

describe('the queue from the command line', () => {
  let waypost: WaypostProcess;
  before(async () => {
    // Nobody listens there.
    waypost = await startWaypost({ WAYPOST_SAMPLE_ACCOUNTS: 'false', WAYPOST_ROUTES: '*=smtp://127.0.0.1:1' });
  });
  after(() => waypost.dispose());

  const run = (...args: string[]) =>
    runCommand(process.execPath, ['bin/waypost.js', ...args], {
      env: { WAYPOST_API_URL: waypost.api },
    });
  async function admin(...args: string[]): Promise<string> {
    const { address, password } = waypost.admin;
    const { code, stdout, stderr } = await run(...args, '--user', address, '--password', password);
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`);
    return stdout;
  }
  const json = async (...args: string[]) => JSON.parse(await admin(...args, '--json'));

  it('mail that waits is seen with its reason, steered one by one and by a filter, and all of it is in the audit', async () => {
    for (const name of ['a', 'b', 'c'])
      await admin('send', '--to', `${name}@far.test`, '--subject', 'hello', '--text', 'hello');
    await until('one was tried', 20_000, async () => (await json('queue', 'list', '--state', 'deferred')).length > 0);
    const [tried] = await json('queue', 'list', '--state', 'deferred');
    const shown = await admin('queue', 'show', tried.id);
    assert.match(shown, /accepted +- +by http, \d+ bytes from <admin@example\.test>/);
    assert.match(shown, /deferred +127\.0\.0\.1 \[127\.0\.0\.1\] +451 /);

    const counted = await json('queue', 'hold', '--domain', 'far.test', '--dry-run');
    assert.deepEqual(counted, { matched: 3 });
    const held = await json('queue', 'hold', '--domain', 'far.test');
    assert.deepEqual([held.matched, held.changed], [3, 3]);
    await admin('queue', 'reroute', tried.id, '--host', 'relay.example:2525');
    assert.match(await admin('queue', 'show', tried.id), /via +relay\.example:2525/);
    await admin('queue', 'recipient', tried.id, '--to', 'b@other.test');
    await admin('queue', 'bounce', tried.id, '--text', 'not from here');
    assert.match(await admin('queue', 'cancel', '--state', 'held'), /changed +2/);
    const actions = (await json('queue', 'audit')).map(({ action }: { action: string }) => action);
    assert.deepEqual(actions, ['cancel', 'bounce', 'recipient', 'reroute', 'hold']);
  });

  it('top shows a frame for people and one for programs', async () => {
    const frame = await admin('queue', 'top', '--once');
    assert.match(frame, /QUEUED +LEASED +DEFERRED/);
    assert.doesNotMatch(frame, /\x1b/);
    const snapshot = await json('queue', 'top', '--once');
    assert.equal(typeof snapshot.byState.delivered, 'number');
    assert.ok(Array.isArray(snapshot.destinations));
  });

  it('says what is wrong with a command', async () => {
    for (const [args, said] of [
      [['queue', 'hold'], /ID or a filter is missing/],
      [['queue', 'hold', 'x', '--state', 'held'], /not both/],
      [['queue', 'reroute', 'x'], /--route, --host/],
      [['queue', 'recipient', 'x'], /--to is missing/],
      [['queue', 'cancel', 'x', '--dry-run'], /goes with a filter/],
      [['queue', 'top', '--every', '0'], /--every/],
    ] as const) {
      const { code, stderr } = await run(...args, '--user', 'x@example.test', '--password', 'unused-here');
      assert.equal(code, 2, args.join(' '));
      assert.match(stderr, said);
    }
  });
});
