import { isFinal } from '../../../delivery/state.ts';
import { type MongoDatabase, snapshot } from '../database.ts';
import type { AcceptDocument } from '../queue/accept-document.ts';
import type { DeliveryDocument } from '../queue/delivery-document.ts';
import type { FaultList } from './fault-list.ts';
import { hasBody } from './has-body.ts';

type Row = Pick<DeliveryDocument, '_id' | 'v' | 'messageId' | 'state'>;

/** An open delivery must have its message, with its bytes. Each page is of one moment. */
export async function checkDeliveries(database: MongoDatabase, faults: FaultList): Promise<void> {
  for (let after: string | undefined = ''; after !== undefined; ) after = await checkPage(database, after, faults);
}

/** Answers the last row; undefined when there was none. */
function checkPage(database: MongoDatabase, after: string, faults: FaultList): Promise<string | undefined> {
  return snapshot(database, async ({ deliveries, session }) => {
    const rows = await deliveries
      .find<Row>({ _id: { $gt: after } }, { session, projection: { v: 1, messageId: 1, state: 1 } })
      .sort({ _id: 1 })
      .limit(rowsPerPage)
      .toArray();
    const open = rows.filter((row) => !faults.isNewer(`delivery ${row._id}`, row) && !isFinal(row.state));
    const accepts = database.db.collection<AcceptDocument>('accepts', { readConcern: { level: 'snapshot' } });
    const there = await hasBody(accepts, session, new Set(open.map(({ messageId }) => messageId)));
    for (const { _id, messageId } of open) {
      if (!there.has(messageId)) faults.add(`delivery ${_id}: its message is missing`);
    }
    return rows.at(-1)?._id;
  });
}

const rowsPerPage = 1_000;
