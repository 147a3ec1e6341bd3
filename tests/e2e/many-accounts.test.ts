import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ApiClient, apiClient } from '../support/api-client.ts';
import { allIn, queueIsDone } from '../support/reading.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { until } from '../support/until.ts';
import { startSystem, type System } from '../support/system.ts';

const count = 1_000;
const password = 'the same password for all';
const addressOf = (n: number): string => `user${n}@example.test`;

describe('1,000 accounts', () => {
  let waypost: System;
  let admin: ApiClient;

  before(async () => {
    waypost = await startSystem({ WAYPOST_SAMPLE_ACCOUNTS: 'false' });
    admin = apiClient(waypost.api, waypost.admin);
  });
  after(() => waypost.dispose());

  it('are made over the API and listed page by page, each once', async () => {
    await eachOf(count, 16, async (n) => {
      const answer = await admin.request('POST', '/api/v1/accounts', { address: addressOf(n), password });
      assert.equal(answer.status, 201, JSON.stringify(answer.body));
    });
    const seen = new Set<string>();
    let at = '';
    do {
      const page = await admin.get(`/api/v1/accounts?limit=300${at}`);
      for (const { address } of page.items) {
        assert.ok(!seen.has(address), `${address} twice`);
        seen.add(address);
      }
      at = page.nextCursor === null ? '' : `&cursor=${page.nextCursor}`;
    } while (at !== '');
    assert.equal(seen.size, count + 1, 'all of them and the administrator');
  });

  it('get mail through one alias: each has one copy', async () => {
    const targets = Array.from({ length: count }, (_, n) => addressOf(n));
    const { status } = await admin.request('POST', '/api/v1/aliases', { address: 'everybody@example.test', targets });
    assert.equal(status, 201);
    const { client } = await SmtpClient.connect(waypost.ports.mx);
    await client.command('EHLO a.test');
    const { final } = await client.send(
      'c@sender.test',
      ['everybody@example.test'],
      'Subject: to everybody\r\n\r\nx\r\n',
    );
    assert.equal(final.code, 250, final.text);
    await client.quit();
    await until('all are delivered', 30_000, async () => {
      return (await admin.get('/api/v1/queue/counts')).byState.delivered === count;
    });
    await queueIsDone(admin);
    // Each login costs a hash; a sample over the whole range shows what the counts have said of all.
    await eachOf(50, 8, async (n) => {
      const client = apiClient(waypost.api, { address: addressOf(n * 20), password });
      assert.deepEqual(
        (await allIn(client)).map(({ subject }) => subject),
        ['to everybody'],
        addressOf(n * 20),
      );
    });
  });
});

/** Runs `work` for 0 to `total` - 1, `width` at a time. */
async function eachOf(total: number, width: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < total) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
