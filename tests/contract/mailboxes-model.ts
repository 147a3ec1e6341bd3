import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { isUnread } from '../../libs/store/mailbox-rules.ts';
import { mailboxRoles } from '../../libs/store/ports/mailboxes.ts';
import type { Courier } from './mailboxes-courier.ts';
import { appended } from './mailboxes-messages.ts';

type Step =
  | { do: 'deliver'; many: number; role: number; seen: boolean }
  | { do: 'append'; role: number }
  | { do: 'flag'; message: number; keyword: '$seen' | '$draft' | '$flagged'; on: boolean }
  | { do: 'move'; message: number; from: number; to: number }
  | { do: 'copy'; message: number; to: number }
  | { do: 'destroy'; message: number }
  | { do: 'create' }
  | { do: 'delete'; mailbox: number; to: number };

const number = fc.nat({ max: 30 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('deliver' as const),
    many: fc.integer({ min: 1, max: 3 }),
    role: number,
    seen: fc.boolean(),
  }),
  fc.record({ do: fc.constant('append' as const), role: number }),
  fc.record({
    do: fc.constant('flag' as const),
    message: number,
    keyword: fc.constantFrom('$seen' as const, '$draft' as const, '$flagged' as const),
    on: fc.boolean(),
  }),
  fc.record({ do: fc.constant('move' as const), message: number, from: number, to: number }),
  fc.record({ do: fc.constant('copy' as const), message: number, to: number }),
  fc.record({ do: fc.constant('destroy' as const), message: number }),
  fc.record({ do: fc.constant('create' as const) }),
  fc.record({ do: fc.constant('delete' as const), mailbox: number, to: number }),
);

export function modelCases(use: () => Courier): void {
  it('counts and quota use are those of a recount after any changes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const courier = use();
        const accountId = await courier.account();
        for (const one of steps) await take(courier, accountId, one);
        await recount(courier, accountId);
      }),
      { numRuns: 15 },
    );
  });
}

/** Steps that the rules refuse change nothing; which they are is other cases' matter. */
async function take(courier: Courier, accountId: string, step: Step): Promise<void> {
  const { mailboxes } = courier.store;
  const all = (await mailboxes.mailboxes(accountId)).mailboxes;
  const { messages } = await mailboxes.list(accountId, {}, { limit: 500 });
  const message = 'message' in step ? messages[step.message % Math.max(messages.length, 1)] : undefined;
  const mailboxAt = (n: number): string => all[n % all.length]!.id;
  const roleAt = (n: number) => mailboxRoles[n % mailboxRoles.length]!;
  const changed = async (patch: Parameters<typeof mailboxes.update>[2]): Promise<void> => {
    if (message !== undefined) await unlessRefused(mailboxes.update(accountId, message.id, patch, {}));
  };
  switch (step.do) {
    case 'deliver':
      await courier.bringAll(
        accountId,
        Array.from({ length: step.many }, (_, n) => ({
          role: roleAt(step.role),
          keywords: step.seen ? ['$seen'] : [],
          sizeBytes: 100 + n,
        })),
      );
      return;
    case 'append':
      await mailboxes.append(accountId, appended('appended', { role: roleAt(step.role) }));
      return;
    case 'flag':
      return changed({ keywords: { [step.keyword]: step.on } });
    case 'move':
      return changed({
        mailboxIds: {
          [mailboxAt(step.to)]: true,
          [mailboxAt(step.from)]: step.from % all.length === step.to % all.length,
        },
      });
    case 'copy':
      return changed({ mailboxIds: { [mailboxAt(step.to)]: true } });
    case 'destroy':
      if (message !== undefined) await mailboxes.destroy(accountId, message.id, { now: Date.now() });
      return;
    case 'create':
      await mailboxes.createMailbox(accountId, { name: `mailbox ${all.length} ${Math.random()}`, parentId: null });
      return;
    case 'delete':
      await unlessRefused(mailboxes.deleteMailbox(accountId, mailboxAt(step.mailbox), { moveTo: mailboxAt(step.to) }));
  }
}

async function unlessRefused(attempt: Promise<unknown>): Promise<void> {
  try {
    await attempt;
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'Refused') throw error;
  }
}

async function recount(courier: Courier, accountId: string): Promise<void> {
  const { mailboxes } = courier.store;
  const { messages } = await mailboxes.list(accountId, {}, { limit: 500 });
  for (const { id, totalEmails, unreadEmails } of (await mailboxes.mailboxes(accountId)).mailboxes) {
    const inside = messages.filter(({ mailboxIds }) => mailboxIds.includes(id));
    const listed = await mailboxes.list(accountId, { mailbox: id }, { limit: 500 });
    assert.deepEqual(listed.messages, inside);
    assert.equal(totalEmails, inside.length);
    const unread = inside.filter(({ keywords }) => isUnread(keywords));
    assert.equal(unreadEmails, unread.length);
    assert.deepEqual((await mailboxes.list(accountId, { mailbox: id, unread: true }, { limit: 500 })).messages, unread);
  }
  const use = (await mailboxes.usage([accountId])).get(accountId);
  assert.equal(use?.messages, messages.length);
  assert.equal(
    use?.bytes,
    messages.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  );
}
