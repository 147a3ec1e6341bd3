import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { MessageSummary } from '../../libs/store/ports/mailboxes.ts';
import type { Courier, Letter } from './mailboxes-courier.ts';

export function threadCases(use: () => Courier): void {
  const threadsOf = async (
    letters: readonly (Partial<MessageSummary> & Pick<Letter, 'receivedAt'>)[],
  ): Promise<string[]> => {
    const courier = use();
    const accountId = await courier.account();
    const threads: string[] = [];
    for (const { receivedAt, ...summary } of letters) {
      const { id } = await courier.bring(accountId, { summary, ...(receivedAt === undefined ? {} : { receivedAt }) });
      threads.push((await courier.store.mailboxes.get(accountId, id)).threadId);
    }
    return threads;
  };

  it('an answer joins the thread of what it refers to, by any of its references', async () => {
    const [first, second, third, other] = await threadsOf([
      { messageIdHeader: 'a@x', subject: 'Plan' },
      { messageIdHeader: 'b@x', subject: 'Re: Plan', inReplyTo: ['a@x'] },
      { messageIdHeader: 'c@x', subject: 'Something else', references: ['a@x', 'unknown@x'] },
      { messageIdHeader: 'd@x', subject: 'Plan' },
    ]);
    assert.equal(second, first);
    assert.equal(third, first);
    assert.notEqual(other, first);
  });

  it('an answer that came before the message shares its thread', async () => {
    const [answer, message, later] = await threadsOf([
      { messageIdHeader: 'b@x', subject: 'Re: Late', inReplyTo: ['a@x'], references: ['root@x', 'a@x'] },
      { messageIdHeader: 'a@x', subject: 'Late' },
      { messageIdHeader: 'c@x', subject: 'Re: Late', references: ['root@x'] },
    ]);
    assert.equal(message, answer);
    assert.equal(later, answer);
  });

  it('an answer without references joins the newest thread of its subject; a first message doesn’t', async () => {
    const [one, two, answer, forward] = await threadsOf([
      { messageIdHeader: '1@x', subject: 'Lunch?' },
      { messageIdHeader: '2@x', subject: 'Lunch?' },
      { messageIdHeader: '3@x', subject: 'AW: [team] RE:  lunch?' },
      { messageIdHeader: '4@x', subject: 'Fwd: Lunch?' },
    ]);
    assert.notEqual(one, two);
    assert.equal(answer, two);
    assert.notEqual(forward, two);
  });

  it('a subject joins no thread that has been quiet for months', async () => {
    const now = Date.now();
    const [old, answer] = await threadsOf([
      { messageIdHeader: '1@x', subject: 'Hello', receivedAt: now - 90 * 24 * 3_600_000 },
      { messageIdHeader: '2@x', subject: 'Re: Hello', receivedAt: now },
    ]);
    assert.notEqual(answer, old);
  });

  it('threads don’t reach into other accounts', async () => {
    const letter = { messageIdHeader: 'same@x', subject: 'Same' };
    const [[mine], [theirs]] = await Promise.all([threadsOf([letter]), threadsOf([letter])]);
    assert.notEqual(mine, theirs);
  });

  it('messages without a Message-ID or subject are threads of their own', async () => {
    const nothing = { messageIdHeader: null, subject: '' };
    const threads = await threadsOf([nothing, nothing, { messageIdHeader: null, subject: 'Re:' }]);
    assert.equal(new Set(threads).size, 3);
  });
}
