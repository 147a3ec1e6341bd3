import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ApiClient, apiClient, createAccount } from '../support/api-client.ts';
import { allIn, type Listed, mailboxId, mine, queueIsDone } from '../support/reading.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { until } from '../support/until.ts';
import { startSystem, type System } from '../support/system.ts';

type Account = Awaited<ReturnType<typeof createAccount>>;

describe('lists, changes and search', () => {
  let waypost: System;
  let admin: ApiClient;
  let ann: Account;
  let server: SmtpClient;

  before(async () => {
    waypost = await startSystem({ WAYPOST_SAMPLE_ACCOUNTS: 'false' });
    admin = apiClient(waypost.api, waypost.admin);
    ann = await createAccount(waypost.api, waypost.admin, 'ann@example.test');
    ({ client: server } = await SmtpClient.connect(waypost.ports.mx));
    assert.equal((await server.command('EHLO a.test')).code, 250);
  });
  after(async () => {
    server.destroy();
    await waypost.dispose();
  });

  async function deliver(to: string, message: string): Promise<void> {
    const { final } = await server.send('c@sender.test', [to], message);
    assert.equal(final.code, 250, final.text);
  }

  it('pages read while mail arrives show nothing twice and leave out nothing that was there', async () => {
    for (let n = 0; n < 60; n += 1) await deliver(ann.address, `Subject: before ${n}\r\n\r\nx\r\n`);
    await queueIsDone(admin);
    const wanted = new Set((await allIn(ann)).map(({ id }) => id));
    assert.equal(wanted.size, 60);
    let arrivals = 0;
    const seen: string[] = [];
    let at = '';
    do {
      const page = await ann.get(`${mine}/messages?mailbox=inbox&limit=7${at}`);
      seen.push(...page.items.map((message: Listed) => message.id));
      at = page.nextCursor === null ? '' : `&cursor=${page.nextCursor}`;
      await deliver(ann.address, `Subject: meanwhile ${arrivals++}\r\n\r\nx\r\n`);
      // A message that was read already changes, another one goes away.
      await ann.request('PATCH', `${mine}/messages/${seen[0]}`, { keywords: { $flagged: arrivals % 2 === 0 } });
    } while (at !== '');
    assert.equal(new Set(seen).size, seen.length, 'nothing twice');
    assert.deepEqual(
      [...wanted].filter((id) => !seen.includes(id)),
      [],
      'nothing left out',
    );
    assert.ok(arrivals > 5);
  });

  it('every page size gives the same list, newest first', async () => {
    await queueIsDone(admin);
    const whole = await allIn(ann, '', 500);
    const times = whole.map(({ receivedAt }) => Date.parse(receivedAt));
    assert.deepEqual(
      times,
      times.toSorted((a, b) => b - a),
    );
    for (const limit of [1, 13]) {
      assert.deepEqual(
        (await allIn(ann, '', limit)).map(({ id }) => id),
        whole.map(({ id }) => id),
      );
    }
  });

  it('/changes from a state over many operations leads to what the list shows', async () => {
    const dora = await createAccount(waypost.api, waypost.admin, 'dora@example.test');
    const known = new Map<string, string>();
    let { state } = await dora.get(`${mine}/messages`);
    const archive = await mailboxId(dora, 'archive');
    const inbox = await mailboxId(dora, 'inbox');

    /** A client that knows only ids of changes, and reads those messages again. */
    const follow = async (limit: number): Promise<void> => {
      for (;;) {
        const changes = await dora.get(`${mine}/changes?since=${state}&limit=${limit}`);
        for (const id of [...changes.created, ...changes.updated]) {
          const { status, body } = await dora.request('GET', `${mine}/messages/${id}`);
          if (status === 200) known.set(id, JSON.stringify([body.keywords, body.mailboxIds]));
        }
        for (const id of changes.destroyed) known.delete(id);
        state = changes.newState;
        if (!changes.hasMore) return;
      }
    };

    for (let round = 0; round < 6; round += 1) {
      for (let n = 0; n < 8; n += 1) await deliver(dora.address, `Subject: round ${round}.${n}\r\n\r\nx\r\n`);
      if (round % 2 === 0) await queueIsDone(admin);
      const there = await allIn(dora);
      for (const [n, { id }] of there.entries()) {
        const path = `${mine}/messages/${id}`;
        if (n % 7 === round) await dora.request('DELETE', `${path}?permanent=true`);
        else if (n % 5 === round) await dora.request('DELETE', path);
        else if (n % 3 === 0)
          await dora.request('PATCH', path, { keywords: { $seen: round % 2 === 0, $flagged: true } });
        else if (n % 4 === 0) await dora.request('PATCH', path, { mailboxIds: { [archive]: true, [inbox]: null } });
      }
      if (round !== 2) await follow(round % 2 === 0 ? 3 : 500);
    }
    await queueIsDone(admin);
    await follow(10);
    const shown = new Map(
      (await allIn(dora)).map(({ id, keywords, mailboxIds }) => [id, JSON.stringify([keywords, mailboxIds])]),
    );
    assert.ok(shown.size > 20);
    assert.deepEqual(known, shown);
    const none = await dora.get(`${mine}/changes?since=${state}`);
    assert.deepEqual(
      [none.created, none.updated, none.destroyed, none.newState, none.hasMore],
      [[], [], [], state, false],
    );
  });

  it('search finds words, phrases, senders, recipients, subjects and times within 5 s of delivery, and nothing else', async () => {
    const eve = await createAccount(waypost.api, waypost.admin, 'eve@example.test');
    const mails: [string, string][] = [
      [
        'Invoice for pencils',
        'From: Łucja Nowak <lucja@pencils.test>\r\nTo: eve@example.test\r\n\r\nThe red pencils cost 12 złoty, café included.\r\n',
      ],
      [
        'Invoice for paper',
        'From: sales@paper.test\r\nTo: office@paper.test, eve@example.test\r\n\r\nThe paper is red and the pencils are not.\r\n',
      ],
      [
        'Holiday',
        'From: mum@home.test\r\nTo: eve@example.test\r\nMIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Sun &amp; <b>beach</b> in M&aacute;laga</p><style>hidden{}</style>\r\n',
      ],
      [
        'With a file',
        'From: mum@home.test\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nlook\r\n--b\r\nContent-Type: image/png; name=cat.png\r\nContent-Disposition: attachment; filename=cat.png\r\n\r\nx\r\n--b--\r\n',
      ],
    ];
    const startedAt = new Date().toISOString();
    for (const [subject, rest] of mails) await deliver(eve.address, `Subject: ${subject}\r\n${rest}`);
    await until('all are delivered', 10_000, async () => (await allIn(eve)).length === mails.length);
    const found = async (query: string): Promise<string[]> =>
      (await allIn(eve, `&${query}`)).map(({ subject }) => subject).toSorted();
    await until('the newest is found', 5_000, async () => (await found('text=look')).length === 1);
    const [pencils, paper, holiday, file] = mails.map(([subject]) => subject) as [string, string, string, string];
    const seenId = (await allIn(eve)).find(({ subject }) => subject === paper)!.id;
    await eve.request('PATCH', `${mine}/messages/${seenId}`, { keywords: { $seen: true } });
    const endedAt = new Date(Date.now() + 1_000).toISOString();

    for (const [query, expected] of [
      ['text=red', [pencils, paper]],
      ['text=RED%20pencils', [pencils, paper]],
      ['text=%22red%20pencils%22', [pencils]],
      ['text=cafe', [pencils]],
      ['text=malaga', [holiday]],
      ['text=hidden', []],
      ['text=nothing-of-that', []],
      ['subject=invoice', [pencils, paper]],
      ['subject=red', []],
      ['from=lucja', [pencils]],
      ['from=mum%40home.test', [holiday, file]],
      ['to=office', [paper]],
      ['from=mum&hasAttachment=true', [file]],
      ['hasAttachment=false', [pencils, paper, holiday]],
      ['unread=true&subject=invoice', [pencils]],
      ['unread=false', [paper]],
      [`since=${startedAt}`, [pencils, paper, holiday, file]],
      [`before=${startedAt}`, []],
      [`since=${startedAt}&before=${endedAt}&text=red`, [pencils, paper]],
      [`since=${endedAt}`, []],
      ['mailbox=inbox&text=beach', [holiday]],
      ['mailbox=archive&text=beach', []],
    ] as [string, string[]][]) {
      assert.deepEqual(await found(query), expected.toSorted(), query);
    }
    // ann has none of this.
    assert.deepEqual(await allIn(ann, '&text=beach'), []);
  });
});
