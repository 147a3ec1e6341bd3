import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ParsePoolClosedError, ParsePoolFullError } from './job-queue.ts';
import { ParsePool, type ParsePoolOptions } from './parse-pool.ts';

const FAULTY = new URL('./faulty-worker.test-entry.ts', import.meta.url);

function open(t: TestContext, options: ParsePoolOptions = {}): ParsePool {
  const pool = new ParsePool(options);
  t.after(() => pool.close());
  return pool;
}

const mail = (subject: string, bodyBytes = 100, header = ''): Buffer =>
  Buffer.from(`From: a@example.test\r\nSubject: ${subject}\r\n${header}\r\n${'word '.repeat(bodyBytes / 5)}`);

function withAttachment(bytes: number): Buffer {
  const content = Buffer.alloc(bytes, 'some bytes').toString('base64').replace(/.{76}/g, '$&\r\n');
  const head = 'Subject: large\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee there\r\n';
  return Buffer.from(
    `${head}--b\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n${content}\r\n--b--\r\n`,
  );
}

test('summaries come in the order asked for, small and large mixed', async (t) => {
  const pool = open(t);
  const raws = Array.from({ length: 30 }, (_, i) => mail(`n${i}`, i % 3 === 0 ? 100_000 : 100));
  const listings = await pool.summaries(raws);
  assert.deepEqual(
    listings.map(({ summary }) => summary.subject),
    raws.map((_, i) => `n${i}`),
  );
  assert.ok(listings.every(({ search, summary }) => search === undefined && !summary.unparsable));
  assert.equal(pool.stats().threads, 1);
});

test('small messages start no thread', async (t) => {
  const pool = open(t);
  await pool.summaries([mail('a'), mail('b')]);
  assert.equal(pool.stats().threads, 0);
});

test('search tokens are made when asked for, of every field', async (t) => {
  const pool = open(t);
  const raw = Buffer.from(
    'From: Bob <bob@x.test>\r\nTo: al@y.test\r\nCc: cy@y.test\r\nSubject: Hi\r\n\r\nWords here\r\n',
  );
  const [listing] = await pool.summaries([raw], undefined, { search: true });
  assert.deepEqual(listing?.search, {
    from: ['bob', 'bob', 'x', 'test'],
    to: ['al', 'y', 'test', 'cy', 'y', 'test'],
    subject: ['hi'],
    text: ['hi', 'bob', 'bob', 'x', 'test', 'al', 'y', 'test', 'cy', 'y', 'test', 'words', 'here'],
  });
});

test('the event loop goes on while a message of 25 MB is parsed and its attachment decoded', async (t) => {
  const pool = open(t);
  const raw = withAttachment(18_500_000);
  assert.ok(raw.length > 25_000_000);
  for (const parse of [() => pool.summaries([raw]), () => pool.full(raw)]) {
    let turns = 0;
    let done = false;
    const counted = (async () => {
      while (!done) {
        await delay(1);
        turns++;
      }
    })();
    await parse();
    done = true;
    await counted;
    assert.ok(turns >= 5, `${turns} turns`);
  }
  const message = await pool.full(raw);
  assert.equal(message.attachments[0]?.size, 18_500_000);
  const bytes = await pool.part(raw, message.attachments[0]!);
  assert.ok(Buffer.from(bytes).equals(Buffer.alloc(18_500_000, 'some bytes')));
  assert.equal(raw.length > 25_000_000 && raw.toString('latin1', 0, 8), 'Subject:', 'the caller keeps its bytes');
});

for (const fault of ['hang', 'throw', 'exit', 'memory']) {
  test(`a message that makes the parser ${fault} is unparsable, the others of its batch are not`, async (t) => {
    const pool = open(t, { entry: FAULTY, deadlineMs: fault === 'hang' ? 300 : 60_000, inlineBytes: 0, heapMb: 24 });
    const raws = [mail('a'), mail('bad', 100, `X-Fault: ${fault}\r\n`), mail('c')];
    const listings = await pool.summaries(raws);
    assert.deepEqual(
      listings.map(({ summary }) => [summary.subject, summary.unparsable]),
      [
        ['a', false],
        ['', true],
        ['c', false],
      ],
    );
    assert.equal(pool.stats().unreadMessages, 1);
    assert.equal((await pool.full(raws[1]!)).unparsable, true);
    assert.equal((await pool.full(raws[2]!)).subject, 'c');
  });
}

test('what would wait past the cap is refused, and nothing else is', async (t) => {
  const pool = open(t, { entry: FAULTY, deadlineMs: 300, maxWaitingJobs: 2 });
  const running = pool.full(mail('hang', 100, 'X-Fault: hang\r\n'));
  const waiting = [pool.full(mail('a')), pool.full(mail('b'))];
  await assert.rejects(pool.full(mail('c')), ParsePoolFullError);
  assert.equal((await running).unparsable, true);
  assert.deepEqual(
    (await Promise.all(waiting)).map(({ subject }) => subject),
    ['a', 'b'],
  );
});

test('an aborted caller waits no longer, whether its job runs or waits', async (t) => {
  const pool = open(t, { entry: FAULTY, deadlineMs: 300 });
  const abort = new AbortController();
  const calls = [pool.full(mail('hang', 100, 'X-Fault: hang\r\n'), abort.signal), pool.full(mail('b'), abort.signal)];
  const after = pool.full(mail('c'));
  abort.abort(new Error('the client left'));
  for (const call of calls) await assert.rejects(call, /the client left/);
  assert.equal(pool.stats().waitingJobs, 1);
  assert.equal((await after).subject, 'c');
  await assert.rejects(pool.summaries([mail('d')], abort.signal), /the client left/);
});

test('an idle thread is ended, and another one started when there is work again', async (t) => {
  const pool = open(t, { idleMs: 1 });
  await pool.full(mail('a'));
  while (pool.stats().threads > 0) await delay(1);
  assert.equal((await pool.full(mail('b'))).subject, 'b');
});

test('closing refuses what runs, what waits and what comes', async () => {
  const pool = new ParsePool({ entry: FAULTY });
  const calls = [pool.full(mail('hang', 100, 'X-Fault: hang\r\n')), pool.full(mail('b'))];
  const refused = Promise.all(calls.map((call) => assert.rejects(call, ParsePoolClosedError)));
  await pool.close();
  await refused;
  await assert.rejects(pool.full(mail('c')), ParsePoolClosedError);
});
