import type { ClientSession } from 'mongodb';
import { newId } from '../../../runtime/ids.ts';
import type { LocalAnswer, LocalDelivery } from '../../ports/mailboxes.ts';
import { Changes, holds, readDeliveries } from '../queue/delivery-change.ts';
import { type Delivery, documentIdOf } from '../queue/delivery-document.ts';
import { settleDelivered } from '../queue/delivery-outcomes.ts';
import { transact } from '../transaction.ts';
import { asStoreErrors, isDuplicateKey } from '../write-errors.ts';
import { AccountWork } from './account-work.ts';
import { type MailContext, openAccounts } from './context.ts';
import type { MailAccountDocument, MessageDocument } from './documents.ts';
import { addMessage } from './new-message.ts';
import { type ThreadIds, Threads, threadIds } from './threads.ts';

/**
 * Local delivery of a batch in one transaction: what one delivery alone can fail on is looked at before anything of it is written. A batch that conflicts with
 * another is repeated; nothing of it is written until it commits.
 */
export async function deliver(
  context: MailContext,
  deliveries: readonly LocalDelivery[],
  now: number,
): Promise<readonly LocalAnswer[]> {
  if (deliveries.length === 0) return [];
  const { database, turns } = context;
  const named = [...new Set(deliveries.map(({ accountId }) => accountId))];
  const gone = new Set(named).difference(await known(context, named));
  const open = deliveries.filter(({ accountId }) => !gone.has(accountId));
  const accountIds = named.filter((id) => !gone.has(id));
  const attempt = (lookAtAll: boolean): Promise<LocalAnswer[]> =>
    transact(database.client, (session) => new Batch(context, session, open, now).run(accountIds, lookAtAll));
  const answers = await turns.run(accountIds, async () => {
    if (open.length === 0) return [];
    try {
      return await attempt(false);
    } catch (error) {
      // A copy was there although its row was still to be delivered: look at every one.
      if (!isDuplicateKey(error)) throw error;
      return attempt(true);
    }
  });
  let at = 0;
  return deliveries.map(({ accountId }) => (gone.has(accountId) ? noAccount : (answers[at++] ?? noAccount)));
}

const noAccount = { answer: 'noAccount' } as const;

/** Accounts of the directory; they have mailboxes now. */
async function known({ database }: MailContext, accountIds: readonly string[]): Promise<Set<string>> {
  const ids = await asStoreErrors(false, async () => {
    const found = await database.accounts.find({ _id: { $in: [...accountIds] } }, { projection: { _id: 1 } }).toArray();
    return found.map(({ _id }) => _id);
  });
  return ids.length === 0 ? new Set() : (await openAccounts(database, ids)).intersection(new Set(ids));
}

class Batch {
  readonly #context: MailContext;
  readonly #session: ClientSession;
  readonly #deliveries: readonly LocalDelivery[];
  readonly #now: number;
  readonly #changes = new Changes();
  readonly #messages: MessageDocument[] = [];

  constructor(context: MailContext, session: ClientSession, deliveries: readonly LocalDelivery[], now: number) {
    this.#context = context;
    this.#session = session;
    this.#deliveries = deliveries;
    this.#now = now;
  }

  async run(accountIds: readonly string[], lookAtAll: boolean): Promise<LocalAnswer[]> {
    const { database } = this.#context;
    const session = this.#session;
    const wanted = { _id: { $in: [...accountIds] }, gone: null };
    const accounts = await database.mailAccounts.find(wanted, { session }).toArray();
    for (const account of accounts) database.newer.check('mail_accounts', account);
    const works = new Map(accounts.map((account: MailAccountDocument) => [account._id, new AccountWork(account)]));
    const ids = this.#deliveries.map(({ deliveryId }) => documentIdOf(deliveryId)).filter((id) => id !== undefined);
    const rows = await readDeliveries(database, ids, session);
    const copies = await this.#copies(rows, lookAtAll);
    const keys = this.#deliveries.map(({ accountId, summary }) => threadIds(accountId, summary));
    const threads = await Threads.read(database, session, keys);
    const answers = this.#deliveries.map((delivery, index) => {
      const work = works.get(delivery.accountId);
      const key = keys[index];
      if (work === undefined || key === undefined) return noAccount;
      return this.#deliverOne(work, delivery, { rows, copies, threads, key });
    });
    await this.#write([...works.values()], threads);
    return answers;
  }

  /** `copies` that are there, or were and are expunged. Of rows that are leased under their claim there is none: the message is written with the outcome. */
  async #copies(rows: ReadonlyMap<string, Delivery>, lookAtAll: boolean): Promise<Set<string>> {
    const doubtful = this.#deliveries.filter(({ deliveryId, claim }) => {
      const row = rows.get(documentIdOf(deliveryId) ?? '');
      return lookAtAll || row === undefined || !holds(row, claim);
    });
    if (doubtful.length === 0) return new Set();
    const found = await this.#context.database.messages
      .find(
        {
          accountId: { $in: [...new Set(doubtful.map(({ accountId }) => accountId))] },
          messageId: { $in: [...new Set(doubtful.map(({ messageId }) => messageId))] },
        },
        { session: this.#session, projection: { accountId: 1, messageId: 1, kind: 1 }, hint: 'messages_once' },
      )
      .toArray();
    return new Set(found.map(copyKey));
  }

  #deliverOne(
    work: AccountWork,
    delivery: LocalDelivery,
    batch: { rows: Map<string, Delivery>; copies: Set<string>; threads: Threads; key: ThreadIds },
  ): LocalAnswer {
    const isDuplicate = batch.copies.has(copyKey(delivery));
    if (!isDuplicate && work.isOver(delivery.sizeBytes)) return { answer: 'overQuota' };
    const settled = settleDelivered(batch.rows, this.#changes, { ...delivery, at: this.#now });
    // A repeat after a lost answer: its row has been settled by then, and the message is there.
    if (isDuplicate) return { answer: 'duplicate' };
    if (settled === 'stale') return { answer: 'stale' };
    const id = newId();
    const threadId = batch.threads.join(batch.key, { id, receivedAt: delivery.receivedAt });
    const message = addMessage(work, delivery, { id, threadId });
    this.#messages.push(message);
    batch.copies.add(copyKey(delivery));
    return { answer: 'delivered', id, modseq: message.modseq, overQuotaNow: work.isOver(1) };
  }

  /** The accounts first: there a conflict with another process shows. */
  async #write(works: readonly AccountWork[], threads: Threads): Promise<void> {
    const { database } = this.#context;
    const session = this.#session;
    const updates = works.flatMap((work) => {
      const update = work.update();
      return update === undefined ? [] : [{ updateOne: { filter: { _id: work.accountId }, update } }];
    });
    if (updates.length > 0) await database.mailAccounts.bulkWrite(updates, { session, ordered: false });
    if (this.#messages.length > 0) await database.messages.insertMany(this.#messages, { session, ordered: false });
    await threads.write(database, session);
    await this.#changes.write(database, session);
  }
}

const copyKey = ({ accountId, messageId, kind }: { accountId: string; messageId: string; kind: string }): string =>
  `${accountId}/${messageId}/${kind}`;
