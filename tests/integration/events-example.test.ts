import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { connect } from '@nats-io/transport-node';
import { eventSubject, requestSubject } from '../../libs/bus/nats/subjects.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { until } from '../../tools/servers/until.ts';
import { requireNats } from '../backends/require.ts';
import { natsBus } from './nats-fixture.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const password = 'of-the-reader';

test('the program in docs/events.md reads mail events with its own user, and goes on where it was', async (t) => {
  const server = await serverWithReader(t);
  if (server === undefined) return;
  const { bus } = await natsBus(t, { url: server.replace('//', '//waypost:w@') });
  const publish = (sizeBytes: number): void =>
    bus.publish('mail.accepted', { messageId: newId(), sender: 'a@example.test', sizeBytes, source: 'mx', targets: 1 });

  const first = await program(t, server);
  bus.publish('mailbox.quota', { accountId: newId(), over: true });
  publish(1);
  await until('it prints the event', 10_000, async () => (/"sizeBytes":1,/.test(first.output()) ? true : undefined));
  assert.match(first.output(), /^waypost\.mail\.accepted \S+ \{/);
  await first.stop();
  publish(2);
  const second = await program(t, server);
  publish(3);
  await until('it prints the rest', 10_000, async () => (/"sizeBytes":3,/.test(second.output()) ? true : undefined));
  assert.deepEqual(
    [...second.output().matchAll(/"sizeBytes":(\d)/g)].map(([, size]) => size),
    ['2', '3'],
  );
  await second.stop();
});

test('the user in docs/events.md may neither publish events, nor ask services, nor read other events', async (t) => {
  const server = await serverWithReader(t);
  if (server === undefined) return;
  const reader = await connect({ servers: server, user: 'events-reader', pass: password });
  t.after(() => reader.close());
  const refused: string[] = [];
  void (async () => {
    for await (const status of reader.status()) if (status.type === 'error') refused.push(status.error.message);
  })();
  const create = '$JS.API.CONSUMER.CREATE.WAYPOST_EVENTS';
  for (const subject of [
    eventSubject('mail.accepted'),
    requestSubject('auth.verify'),
    `${create}.events-reader.${eventSubject('login.failed')}`,
    `${create}.events-reader`,
    `${create}.other.waypost.event.mail.>`,
    '$JS.API.STREAM.DELETE.WAYPOST_EVENTS',
  ]) {
    reader.publish(subject, '{}');
    await until(`${subject} is refused`, 5000, async () =>
      refused.some((text) => text.includes(`"${subject}"`)) ? true : undefined,
    );
  }
  reader.subscribe(eventSubject('login.failed'), { callback: () => {} });
  await until('listening is refused', 5000, async () =>
    refused.some((text) => text.includes('Subscription')) ? true : undefined,
  );
});

/** The part of the document between the fences of this language. */
function codeOf(language: string): string {
  const text = readFileSync(join(root, 'docs/events.md'), 'utf8');
  return text.split(`\n\`\`\`${language}\n`)[1]?.split('```')[0] ?? assert.fail(`no ${language} in docs/events.md`);
}

async function serverWithReader(t: TestContext): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-events-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const config = join(folder, 'nats.conf');
  const waypost = '{ user: "waypost", password: "w" }';
  writeFileSync(config, `authorization { users: [\n${waypost}\n${codeOf('hocon')}] }\n`);
  process.env['EVENTS_READER_PASSWORD'] = password;
  return (await requireNats(t, { config }))?.url;
}

interface Program {
  output(): string;
  stop(): Promise<void>;
}

/** Resolves when it reads. */
async function program(t: TestContext, server: string): Promise<Program> {
  const child = spawn(process.execPath, ['--input-type=module', '-'], {
    cwd: root,
    env: { NATS_URL: server, EVENTS_READER_PASSWORD: password },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  let [output, errors] = ['', ''];
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString();
  });
  child.stderr.on('data', (data: Buffer) => {
    errors += data.toString();
  });
  child.stdin.end(codeOf('js'));
  await until(
    'the program reads',
    10_000,
    async () => (errors.includes('reading') ? true : undefined),
    () => isRunning(child) || assert.fail(errors),
  );
  return {
    output: () => output,
    async stop() {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      assert.deepEqual(await exited, [0, null], errors);
    },
  };
}

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;
