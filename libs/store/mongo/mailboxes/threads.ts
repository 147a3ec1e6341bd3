import { hash } from 'node:crypto';
import type { AnyBulkWriteOperation, ClientSession } from 'mongodb';
import type { MessageSummary } from '../../ports/mailboxes.ts';
import { joinBySubjectMs, threadKeys } from '../../threading.ts';
import type { MongoDatabase } from '../database.ts';
import type { ThreadReferenceDocument } from './documents.ts';

/** ThreadKeys as ids of references. */
export interface ThreadIds {
  own: string | null;
  references: readonly string[];
  subject: string | null;
  joinsBySubject: boolean;
}

export function threadIds(accountId: string, summary: MessageSummary): ThreadIds {
  const { own, references, subject, joinsBySubject } = threadKeys(summary);
  const idOf = (key: string): string => `${accountId}/${hash('sha256', key, 'base64url').slice(0, hashLength)}`;
  return {
    own: own === null ? null : idOf(own),
    references: references.map(idOf),
    subject: subject === null ? null : idOf(subject),
    joinsBySubject,
  };
}

/** 96 bits: a collision would join two threads. */
const hashLength = 16;

/** The references of a batch of messages, read once; messages of the batch join each other too. */
export class Threads {
  readonly #known: Map<string, ThreadReferenceDocument>;
  readonly #fresh = new Set<string>();
  readonly #moved = new Set<string>();

  private constructor(known: readonly ThreadReferenceDocument[]) {
    this.#known = new Map(known.map((reference) => [reference._id, reference]));
  }

  static async read(
    { threadReferences }: MongoDatabase,
    session: ClientSession,
    messages: readonly ThreadIds[],
  ): Promise<Threads> {
    const ids = messages.flatMap(({ own, references, subject }) => [own, ...references, subject]);
    const named = [...new Set(ids.filter((id) => id !== null))];
    if (named.length === 0) return new Threads([]);
    return new Threads(await threadReferences.find({ _id: { $in: named } }, { session }).toArray());
  }

  /**
   * The thread that the message joins (see libs/store/threading.ts), or `id`: it begins one, which is called after it. From now on the thread is known by the
   * message's own id, by all that it refers to, and by its subject.
   */
  join(keys: ThreadIds, { id, receivedAt }: { id: string; receivedAt: number }): string {
    const { own, references, subject } = keys;
    const named = own === null ? references : [own, ...references];
    const threadId = this.#find(named) ?? this.#bySubject(keys, receivedAt) ?? id;
    for (const _id of named) if (!this.#known.has(_id)) this.#add({ _id, v: 1, threadId, at: receivedAt });
    if (subject !== null) this.#remember(subject, threadId, receivedAt);
    return threadId;
  }

  async write({ threadReferences }: MongoDatabase, session: ClientSession): Promise<void> {
    const operations: AnyBulkWriteOperation<ThreadReferenceDocument>[] = [];
    for (const [_id, document] of this.#known) {
      const { threadId, at } = document;
      if (this.#fresh.has(_id)) operations.push({ insertOne: { document } });
      else if (this.#moved.has(_id))
        operations.push({ updateOne: { filter: { _id }, update: { $set: { threadId, at } } } });
    }
    if (operations.length > 0) await threadReferences.bulkWrite(operations, { session, ordered: false });
  }

  #find(ids: readonly string[]): string | undefined {
    for (const id of ids) {
      const known = this.#known.get(id);
      if (known !== undefined) return known.threadId;
    }
    return undefined;
  }

  #bySubject({ joinsBySubject, subject }: ThreadIds, receivedAt: number): string | undefined {
    const known = joinsBySubject && subject !== null ? this.#known.get(subject) : undefined;
    return known !== undefined && receivedAt - known.at <= joinBySubjectMs ? known.threadId : undefined;
  }

  /** A subject names its newest thread. */
  #remember(_id: string, threadId: string, receivedAt: number): void {
    const known = this.#known.get(_id);
    if (known === undefined) {
      this.#add({ _id, v: 1, threadId, at: receivedAt });
      return;
    }
    known.threadId = threadId;
    known.at = Math.max(known.at, receivedAt);
    this.#moved.add(_id);
  }

  #add(reference: ThreadReferenceDocument): void {
    this.#known.set(reference._id, reference);
    this.#fresh.add(reference._id);
  }
}
