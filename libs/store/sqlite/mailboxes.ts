import { hash } from 'node:crypto';
import { NotFound } from '../errors.ts';
import { isUnread, normalKeywords } from '../mailbox-rules.ts';
import type {
  AppendedMessage,
  LocalDelivery,
  Mailboxes,
  MessageFilter,
  MessageRow,
  MessageSummary,
} from '../ports/mailboxes.ts';
import type { Body } from '../ports/spool.ts';
import { threadKeys } from '../threading.ts';
import type { Engine } from './engine/engine.ts';
import type { PreparedDelivery } from './ops/mailboxes/deliver.ts';
import type { NewMessage } from './ops/mailboxes/message-insert.ts';

export function sqliteMailboxes(engine: Engine): Mailboxes {
  /** An account that was never used has nothing to read yet: it is opened, once, and read again. */
  async function readOpened<T>(accountId: string, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof NotFound) || error.what !== 'account') throw error;
    }
    await engine.write('mailboxes.open', { accountId });
    return read();
  }

  return {
    deliver: (deliveries, now) => {
      const prepared = deliveries.map(prepareDelivery);
      return engine.write('mailboxes.deliver', { deliveries: prepared, now }, weightOf(prepared));
    },

    mailboxes: (accountId) => readOpened(accountId, () => engine.read('mailboxes.mailboxes', { accountId })),
    createMailbox: (accountId, mailbox) => engine.write('mailboxes.createMailbox', { accountId, ...mailbox }),
    updateMailbox: (accountId, id, patch) => engine.write('mailboxes.updateMailbox', { accountId, id, patch }),
    async deleteMailbox(accountId, id, options) {
      const step = { accountId, id, ...options, limit: movedInOneStep };
      while ((await engine.write('mailboxes.deleteMailbox', step)) === 'more');
    },

    list: (accountId, filter, page) =>
      readOpened(accountId, async () => {
        const { state, messages, next } = await engine.read(
          'mailboxes.list',
          { accountId, filter, ...page },
          { search: isSearch(filter) },
        );
        return { state, messages: parseRows(messages), next };
      }),
    get: (accountId, id) =>
      readOpened(accountId, async () => parseRow(await engine.read('mailboxes.get', { accountId, id }))),
    raw: (accountId, id) =>
      readOpened(accountId, async () => {
        const { message, ...rest } = await engine.read('mailboxes.raw', { accountId, id });
        return { message: parseRow(message), ...rest };
      }),

    update: async (accountId, id, patch, options) =>
      parseRow(await engine.write('mailboxes.update', { accountId, id, patch, ...options })),
    destroy: (accountId, id, options) => engine.write('mailboxes.destroy', { accountId, id, ...options }),
    async append(accountId, message) {
      const { id, role, sha256 } = message;
      const body = exactBody(message.body);
      const prepared = { ...prepareMessage(message, { messageId: id, kind: 'append' }), accountId, role, body, sha256 };
      const bytes = prepared.summary.length + (body.kind === 'inline' ? body.bytes.byteLength : 0);
      return parseRow(await engine.write('mailboxes.append', prepared, bytes));
    },

    changes: (accountId, since, limit) =>
      readOpened(accountId, () => engine.read('mailboxes.changes', { accountId, since, limit })),
    state: (accountId) => readOpened(accountId, () => engine.read('mailboxes.state', { accountId })),

    usage: (accountIds) => engine.read('mailboxes.usage', { accountIds }),
    setQuota: (accountId, quota) => engine.write('mailboxes.setQuota', { accountId, ...quota }),
    removeAccount: (accountId, limit) => engine.write('mailboxes.removeAccount', { accountId, limit, now: Date.now() }),

    unindexed: (limit) => engine.read('mailboxes.unindexed', { limit }),
    async index(entries) {
      const joined = entries.map(({ accountId, id, from, to, subject, text }) => ({
        accountId,
        id,
        from: from.join(' '),
        to: to.join(' '),
        subject: subject.join(' '),
        text: text.join(' '),
      }));
      const bytes = joined.reduce((sum, entry) => sum + entry.text.length, 0);
      await engine.write('mailboxes.index', { entries: joined }, bytes);
    },

    purge: (query) => engine.write('mailboxes.purge', query),
  };
}

/** Messages that leave a deleted mailbox in one transaction. */
const movedInOneStep = 500;

function prepareDelivery(delivery: LocalDelivery): PreparedDelivery {
  const { deliveryId, claim, accountId, role, messageId, kind } = delivery;
  return { ...prepareMessage(delivery, { messageId, kind }), deliveryId, claim, accountId, role };
}

function prepareMessage(
  message: LocalDelivery | AppendedMessage,
  key: Pick<NewMessage, 'messageId' | 'kind'>,
): NewMessage {
  const { summary, receivedAt, sizeBytes } = message;
  const keywords = normalKeywords(message.keywords);
  const keys = threadKeys(summary);
  return {
    ...key,
    keywords: JSON.stringify(keywords),
    unread: isUnread(keywords),
    hasAttachment: summary.hasAttachment,
    receivedAt,
    sizeBytes,
    summary: JSON.stringify(onlySummary(summary)).slice(1),
    thread: {
      own: keys.own === null ? null : hashOf(keys.own),
      references: keys.references.map(hashOf),
      subject: keys.subject === null ? null : hashOf(keys.subject),
      joinsBySubject: keys.joinsBySubject,
    },
  };
}

/** Parsers give more than is kept. */
function onlySummary(summary: MessageSummary): MessageSummary {
  const { from, to, cc, subject, messageIdHeader, inReplyTo, references, sentAt, preview, hasAttachment, unparsable } =
    summary;
  return { from, to, cc, subject, messageIdHeader, inReplyTo, references, sentAt, preview, hasAttachment, unparsable };
}

/** Structured clone copies the whole buffer behind a view, and small Buffers share one. */
function exactBody(body: Body): Body {
  if (body.kind === 'blob' || body.bytes.byteLength === body.bytes.buffer.byteLength) return body;
  return { kind: 'inline', bytes: new Uint8Array(body.bytes) };
}

/** 52 bits: small keys, and a collision within one account is not to be expected (it would join two threads). */
const hashOf = (key: string): number => Number.parseInt(hash('sha256', key, 'hex').slice(0, 13), 16);

const weightOf = (deliveries: readonly PreparedDelivery[]): number =>
  deliveries.reduce((sum, { summary }) => sum + summary.length, 0);

// The writer has made the JSON from a MessageRow's own fields.
const parseRow = (json: string): MessageRow => JSON.parse(json) as MessageRow;
const parseRows = (rows: readonly string[]): MessageRow[] => JSON.parse(`[${rows.join(',')}]`) as MessageRow[];

/** Looks for words: how long that takes depends on the words. */
const isSearch = ({ text, from, to, subject }: MessageFilter): boolean => (text ?? from ?? to ?? subject) !== undefined;
