import type { Collection } from 'mongodb';
import { StoreBusy } from '../../errors.ts';
import type { AcceptedMessage } from '../../ports/spool.ts';
import type { MongoDatabase } from '../database.ts';
import { newerDocument, type NewerDocuments } from '../newer-documents.ts';
import { durable } from '../transaction.ts';
import { asStoreErrors, documentErrors, duplicateKey, storeError } from '../write-errors.ts';
import type { AcceptDocument } from './accept-document.ts';
import { type DeliveryDocument, newDelivery } from './delivery-document.ts';
import { markRouted, RoutedMarks } from './routed-marks.ts';

/** What fan-out needs of a message. */
type Routed = Pick<AcceptedMessage, 'messageId' | 'acceptedAt' | 'sizeBytes' | 'targets'> & { sender: string };

type Stored = Pick<AcceptDocument, '_id' | 'v' | 'acceptedAt' | 'sizeBytes' | 'targets' | 'routedAt'> & {
  envelope: { reversePath: string };
};

interface Waiting {
  messageId: string;
  resolve: (isThere: boolean) => void;
  reject: (error: unknown) => void;
}

/**
 * Writes the delivery rows of accepted messages, many messages at a time: rows that are there already stay as they are, and a message is marked routed only
 * when all its rows are durable. Messages accepted by this process needn't be read again.
 */
export class FanOut {
  readonly #accepts: Collection<AcceptDocument>;
  readonly #deliveries: Collection<DeliveryDocument>;
  readonly #newer: NewerDocuments;
  readonly #recent = new Map<string, Routed>();
  #recentTargets = 0;
  #waiting: Waiting[] = [];
  #writing = false;
  /** Waits for the next gathering. */
  #gathering: Waiting[] = [];
  readonly #marks: RoutedMarks;

  constructor({ accepts, deliveries, newer }: Pick<MongoDatabase, 'accepts' | 'deliveries' | 'newer'>) {
    this.#accepts = accepts;
    this.#deliveries = deliveries;
    this.#newer = newer;
    this.#marks = new RoutedMarks(accepts);
  }

  /** A message that this process has just made durable. */
  remember({ messageId, acceptedAt, sizeBytes, targets, envelope }: AcceptedMessage): void {
    if (this.#recentTargets + targets.length > maxRecentTargets) return;
    this.#forget(messageId);
    this.#recent.set(messageId, { messageId, acceptedAt, sizeBytes, targets, sender: envelope.reversePath });
    this.#recentTargets += targets.length;
  }

  /** False when there is no such message. */
  complete(messageId: string): Promise<boolean> {
    if (this.#waiting.length >= maxWaiting) return Promise.reject(new StoreBusy('too many messages wait for fan-out'));
    return new Promise<boolean>((resolve, reject) => {
      this.#waiting.push({ messageId, resolve, reject });
      queueMicrotask(() => void this.#drain());
    });
  }

  /** For messages of this process, many at a time: a commit to a majority costs the same for one as for a hundred. Their mark comes later still. */
  soon(messageId: string): Promise<void> {
    if (this.#gathering.length >= maxWaiting)
      return Promise.reject(new StoreBusy('too many messages wait for fan-out'));
    return new Promise<void>((resolve, reject) => {
      if (this.#gathering.length === 0) setTimeout(() => void this.#followUp(), gatherMs);
      this.#gathering.push({ messageId, resolve: () => resolve(), reject });
    });
  }

  /** What wasn't marked yet is left to the sweep when that fails. */
  close(): Promise<void> {
    return this.#marks.close();
  }

  async #followUp(): Promise<void> {
    const batch = this.#gathering;
    this.#gathering = [];
    const known: Routed[] = [];
    for (const waiting of batch) {
      const recent = this.#forget(waiting.messageId);
      if (recent !== undefined) known.push(recent);
      // Too many were accepted to remember them all.
      else void this.complete(waiting.messageId).then(waiting.resolve, waiting.reject);
    }
    const ids = new Set(known.map(({ messageId }) => messageId));
    const ours = batch.filter(({ messageId }) => ids.has(messageId));
    try {
      await this.#insertRows(known);
      for (const { messageId, resolve } of ours) {
        this.#marks.add(messageId);
        resolve(true);
      }
    } catch (error) {
      for (const { reject } of ours) reject(error);
    }
  }

  async #drain(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, maxBatch);
      try {
        const there = await this.#fanOut([...new Set(batch.map(({ messageId }) => messageId))]);
        for (const { messageId, resolve, reject } of batch) {
          if (there.get(messageId) === 'newer') reject(newerDocument('accepts', messageId));
          else resolve(there.has(messageId));
        }
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#writing = false;
  }

  async #fanOut(messageIds: readonly string[]): Promise<Map<string, 'there' | 'newer'>> {
    const there = new Map<string, 'there' | 'newer'>();
    const toRoute: Routed[] = [];
    const unknown: string[] = [];
    for (const messageId of messageIds) {
      const recent = this.#forget(messageId);
      if (recent === undefined) unknown.push(messageId);
      else toRoute.push(recent);
    }
    if (unknown.length > 0) {
      const found = await this.#read(unknown);
      for (const { _id } of found) there.set(_id, 'newer');
      for (const { _id, envelope, ...accept } of this.#newer.readable('accepts', found)) {
        there.set(_id, 'there');
        if (accept.routedAt === null) toRoute.push({ ...accept, messageId: _id, sender: envelope.reversePath });
      }
    }
    for (const { messageId } of toRoute) there.set(messageId, 'there');
    await this.#write(toRoute);
    return there;
  }

  #read(messageIds: readonly string[]): Promise<Stored[]> {
    return asStoreErrors(false, () =>
      this.#accepts
        .find<Stored>(
          { _id: { $in: [...messageIds] } },
          { projection: { v: 1, acceptedAt: 1, sizeBytes: 1, targets: 1, 'envelope.reversePath': 1, routedAt: 1 } },
        )
        .toArray(),
    );
  }

  async #write(messages: readonly Routed[]): Promise<void> {
    if (messages.length === 0) return;
    await this.#insertRows(messages);
    await markRouted(
      this.#accepts,
      messages.map(({ messageId }) => messageId),
    );
  }

  async #insertRows(messages: readonly Routed[]): Promise<void> {
    const rows = messages.flatMap(({ targets, ...message }) => targets.map((target) => newDelivery(message, target)));
    for (let at = 0; at < rows.length; at += maxRows) await this.#insert(rows.slice(at, at + maxRows));
  }

  /** Unordered, so that rows that are there already don't keep the others out. */
  async #insert(rows: DeliveryDocument[]): Promise<void> {
    try {
      await this.#deliveries.insertMany(rows, { ordered: false, writeConcern: durable });
    } catch (error) {
      const isHarmless = documentErrors(error)?.every(({ code }) => code === duplicateKey) === true;
      if (!isHarmless) throw storeError(error, false);
    }
  }

  #forget(messageId: string): Routed | undefined {
    const routed = this.#recent.get(messageId);
    if (routed === undefined) return undefined;
    this.#recent.delete(messageId);
    this.#recentTargets -= routed.targets.length;
    return routed;
  }
}

/** Delays a delivery by so much, and makes one commit of what would be dozens. */
const gatherMs = 40;
/** Past it the sweep does it. */
const maxWaiting = 10_000;
const maxBatch = 500;
const maxRows = 1_000;
/** Past it the rows are made from what was stored. */
const maxRecentTargets = 20_000;
