import { type ActionRecord, auditIdAt, auditKeepMs, type QueueAudit } from '../../ports/queue-audit.ts';
import type { MongoDatabase } from '../database.ts';
import { durable } from '../transaction.ts';
import { asStoreErrors } from '../write-errors.ts';

/** `_id` begins with the time. */
export interface QueueActionDocument extends Omit<ActionRecord, 'id'> {
  _id: string;
  v: number;
}

export function mongoQueueAudit({ queueActions, newer }: MongoDatabase): QueueAudit {
  return {
    async begin({ id, ...record }) {
      await asStoreErrors(true, async () => {
        await queueActions.deleteMany({ _id: { $lt: auditIdAt(record.at - auditKeepMs) } });
        await queueActions.updateOne(
          { _id: id },
          { $setOnInsert: { v: 1, ...record, matched: 0, changed: 0 } },
          { upsert: true, writeConcern: durable },
        );
      });
    },
    async count(id, { matched, changed, endedAt }) {
      const ended = endedAt === undefined ? {} : { $set: { endedAt } };
      await asStoreErrors(true, () =>
        queueActions.updateOne({ _id: id }, { $inc: { matched, changed }, ...ended }, { writeConcern: durable }),
      );
    },
    get: (id) =>
      asStoreErrors(false, async () => {
        const found = await queueActions.findOne({ _id: id });
        return found === null ? undefined : newer.readable('queue_actions', [found]).map(toRecord)[0];
      }),
    list: ({ limit, cursor }) =>
      asStoreErrors(false, async () => {
        const below = cursor === undefined ? {} : { _id: { $lt: cursor } };
        const found = await newer.readAround('queue_actions', (only) =>
          queueActions
            .find({ ...below, ...only })
            .sort({ _id: -1 })
            .limit(limit)
            .toArray(),
        );
        return found.map(toRecord);
      }),
  };
}

const toRecord = ({ _id: id, v: _, ...record }: QueueActionDocument): ActionRecord => ({ id, ...record });
