import assert from 'node:assert/strict';
import test from 'node:test';
import { Registry } from 'prom-client';
import { ParsePoolFullError } from '../../libs/mail/parse-pool/job-queue.ts';
import type { ParsePool } from '../../libs/mail/parse-pool/parse-pool.ts';
import { ByteBudget } from '../../libs/runtime/byte-budget.ts';
import { Indexer } from '../../services/mailbox/indexer/indexer.ts';
import { mailboxMetrics } from '../../services/mailbox/metrics.ts';
import { until } from '../support/until.ts';
import { openMailSystem } from './mail-system.ts';

const waitMs = 10_000;

test('a message for which the parser has no room now is indexed later, with its words', async (t) => {
  const mail = await openMailSystem(t);
  const alice = await mail.addAccount('alice');
  await mail.startQueue();
  const mailbox = await mail.startMailbox();
  const messageId = await mail.accept([alice], { raw: 'Subject: heron\r\n\r\nA heron.\r\n' });
  await until('delivered', waitMs, async () => (await mail.states(messageId))[0] === 'delivered');
  // It stops before the second is over for which entries gather.
  await mailbox.stop();
  assert.equal((await mail.mailboxes.unindexed(10)).length, 1);
  let full = true;
  const parsePool: Pick<ParsePool, 'summaries'> = {
    summaries: async (...request) => {
      if (full) throw new ParsePoolFullError('too much waits');
      return mail.parsePool.summaries(...request);
    },
  };
  const budget = new ByteBudget(1024 * 1024);
  const metrics = mailboxMetrics(new Registry());
  const indexer = new Indexer({ ...mail, parsePool, budget, metrics, sweepIntervalMs: 200 });
  const signal = new AbortController().signal;
  await assert.rejects(indexer.run(signal), ParsePoolFullError);
  full = false;
  await indexer.run(signal);
  const found = await mail.mailboxes.list(alice, { text: [['heron']] }, { limit: 10 });
  assert.equal(found.messages.length, 1);
});
