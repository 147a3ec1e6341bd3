import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { queryTerms } from '../../libs/mail/search/query-terms.ts';
import { tokenize } from '../../libs/mail/search/tokenize.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { openMongoStore } from '../../libs/store/mongo/open.ts';
import type { Mailboxes, MessageFilter } from '../../libs/store/ports/mailboxes.ts';
import { sqliteDirectoryAdmin } from '../../libs/store/sqlite/directory.ts';
import { Engine } from '../../libs/store/sqlite/engine/engine.ts';
import { sqliteMailboxes } from '../../libs/store/sqlite/mailboxes.ts';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { listAll } from './mailboxes-courier.ts';
import { appended } from './mailboxes-messages.ts';

const mongo = await mongoForFile();

/** Few words, so that they meet: of each way in which a text becomes tokens. */
const word = fc.constantFrom(
  'may',
  'invoice',
  'ann@example.test',
  'Größte',
  '日本語',
  '本',
  'naïve-may',
  '3.14',
  'x',
  '!',
);
const text = (maxLength: number): fc.Arbitrary<string> => fc.array(word, { maxLength }).map((words) => words.join(' '));

const letter = fc.record({
  receivedAt: fc.integer({ min: 1_000, max: 1_003 }),
  role: fc.constantFrom('inbox' as const, 'archive' as const),
  keywords: fc.constantFrom<string[]>([], ['$seen'], ['$draft']),
  hasAttachment: fc.boolean(),
  from: text(2),
  to: text(2),
  subject: text(3),
  text: text(8),
  fate: fc.constantFrom('stays', 'stays', 'stays', 'isMoved', 'isExpunged', 'isIndexedAgain'),
});

const terms = fc.array(word, { minLength: 1, maxLength: 2 }).map((words) => words.join(' '));
const searched = fc.oneof(
  { weight: 3, arbitrary: terms },
  { weight: 2, arbitrary: terms.map((words) => `"${words}"`) },
  { weight: 1, arbitrary: fc.tuple(word, terms).map(([one, phrase]) => `${one} "${phrase}"`) },
);
const search: fc.Arbitrary<MessageFilter> = fc
  .tuple(fc.constantFrom('text', 'text', 'from', 'to', 'subject'), searched)
  .map(([field, words]) => ({ [field]: queryTerms(words) }));
const narrowing: fc.Arbitrary<MessageFilter> = fc.oneof(
  fc.constant({}),
  fc.record({ mailbox: fc.constantFrom('inbox', 'archive') }),
  fc.record({ unread: fc.boolean() }),
  fc.record({ hasAttachment: fc.boolean() }),
  fc.record({ since: fc.integer({ min: 1_000, max: 1_003 }) }),
  fc.record({ before: fc.integer({ min: 1_000, max: 1_004 }) }),
  search,
);
const query = fc.tuple(search, narrowing).map(([one, other]): MessageFilter => ({ ...other, ...one }));

describe('search in both stores', { skip: mongo.skip }, () => {
  it('finds the same messages in the same order, whatever is searched', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'waypost-search-alike-'));
    const engine = await Engine.open({ file: join(folder, 'waypost.db') });
    const directory = sqliteDirectoryAdmin(engine);
    await directory.addDomain({ key: 'example.test', name: 'example.test', createdAt: 1 });
    const store = await openMongoStore({ url: mongo.backend?.url ?? '', database: freshDatabase() });
    const both = [sqliteMailboxes(engine), store.mailboxes];
    let found = 0;
    try {
      await fc.assert(
        fc.asyncProperty(
          fc.array(letter, { minLength: 5, maxLength: 10 }),
          fc.array(query, { minLength: 12, maxLength: 12 }),
          fc.integer({ min: 1, max: 5 }),
          async (letters, queries, limit) => {
            const id = newId();
            await directory.addAccount(accountOf(id), 'hash');
            await store.database.accounts.insertOne({ _id: id });
            const messages = letters.map((one) => ({ ...one, id: newId() }));
            for (const mailboxes of both) await bring(mailboxes, id, messages);
            for (const wanted of queries) {
              const [fts5, ours] = await Promise.all(both.map((mailboxes) => listAll(mailboxes, id, wanted, limit)));
              assert.deepEqual(ours, fts5, JSON.stringify(wanted));
              found += ours?.length ?? 0;
            }
          },
        ),
        { numRuns: 10, seed: 20_261 },
      );
      assert.ok(found > 30, `${found} messages were found`);
    } finally {
      await store.close();
      await engine.close();
      await rm(folder, { recursive: true });
    }
  });
});

type Brought = (typeof letter extends fc.Arbitrary<infer Letter> ? Letter : never) & { id: string };

async function bring(mailboxes: Mailboxes, accountId: string, messages: readonly Brought[]): Promise<void> {
  for (const { id, receivedAt, role, keywords, hasAttachment } of messages) {
    const draft = appended('A draft');
    const summary = { ...draft.summary, hasAttachment };
    await mailboxes.append(accountId, { ...draft, id, receivedAt, role, keywords, summary });
  }
  const entryOf = ({ id, ...fields }: Brought) => {
    const [from, to, subject, text] = [fields.from, fields.to, fields.subject, fields.text].map((one) => tokenize(one));
    return { accountId, id, from: from!, to: to!, subject: subject!, text: text! };
  };
  const first = messages.map((one) => entryOf(one.fate === 'isIndexedAgain' ? { ...one, text: 'may invoice x' } : one));
  await mailboxes.index(first);
  for (const one of messages) {
    const { id, role, fate } = one;
    if (fate === 'isIndexedAgain') await mailboxes.index([entryOf(one)]);
    if (fate === 'isExpunged') await mailboxes.destroy(accountId, id, { now: 1 });
    if (fate !== 'isMoved') continue;
    const all = (await mailboxes.mailboxes(accountId)).mailboxes;
    const idOf = (name: string): string => all.find((mailbox) => mailbox.role === name)!.id;
    const other = role === 'inbox' ? 'archive' : 'inbox';
    await mailboxes.update(accountId, id, { mailboxIds: { [idOf(role)]: false, [idOf(other)]: true } }, {});
  }
}

const accountOf = (id: string) => ({
  id,
  key: `${id}@example.test`,
  address: `${id}@example.test`,
  displayName: null,
  enabled: true,
  admin: false,
  quota: { bytes: null, messages: null },
  credentialVersion: 1,
  createdAt: 1,
});
