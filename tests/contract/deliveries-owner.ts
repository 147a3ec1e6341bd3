import assert from 'node:assert/strict';
import type { Claim, DeliveryRow } from '../../libs/delivery/row.ts';
import { newId } from '../../libs/runtime/ids.ts';
import type { Outcome, OutcomeAnswer } from '../../libs/store/ports/deliveries.ts';
import type { PartitionLease } from '../../libs/store/ports/partitions.ts';
import type { AcceptedMessage } from '../../libs/store/ports/spool.ts';
import { allPartitions, enqueue, type OpenQueue } from './spool-messages.ts';

/** What the groups of cases work on. */
export interface QueueUnderTest {
  store: OpenQueue;
  /** Holds all partitions, for longer than the tests take. */
  owner: QueueOwner;
}

/** Longer than any test. */
export const longMs = 600_000;

/** An owner of partitions, as the queue service is one, without its decisions. */
export class QueueOwner {
  readonly name: string;
  readonly #store: OpenQueue;
  leases: readonly PartitionLease[];

  constructor(store: OpenQueue, name: string, leases: readonly PartitionLease[]) {
    this.#store = store;
    this.name = name;
    this.leases = leases;
  }

  static async of(
    store: OpenQueue,
    name: string,
    { partitions = allPartitions, leaseMs = longMs }: { partitions?: readonly number[]; leaseMs?: number } = {},
  ): Promise<QueueOwner> {
    return new QueueOwner(store, name, await store.partitions.acquire({ owner: name, partitions, leaseMs }));
  }

  claim(
    ids: readonly string[],
    { leaseMs = longMs, now = Date.now(), token = newId() }: { leaseMs?: number; now?: number; token?: string } = {},
  ): Promise<readonly DeliveryRow[]> {
    return this.#store.deliveries.claim({ owner: this.name, leases: this.leases, ids, token, leaseMs, now });
  }

  /** A message with one row for each target, all claimed. */
  async leased(
    message: AcceptedMessage,
    leaseMs = longMs,
  ): Promise<{ ids: string[]; rows: DeliveryRow[]; claim: Claim }> {
    const ids = await enqueue(this.#store.spool, message);
    const claimed = await this.claim(ids, { leaseMs, now: message.acceptedAt });
    const rows = ids.map((id) => claimed.find((row) => row.id === id)).filter((row) => row !== undefined);
    assert.equal(rows.length, ids.length);
    return { ids, rows, claim: rows[0]!.claim! };
  }

  async record(
    id: string,
    claim: Claim,
    result: Outcome['result'],
    at = Date.now(),
  ): Promise<{ answer: OutcomeAnswer['answer']; state: OutcomeAnswer['state'] }> {
    const [answer] = await this.#store.deliveries.record([{ id, claim, at, result }]);
    assert.equal(answer!.id, id);
    return { answer: answer!.answer, state: answer!.state };
  }

  /** A row of a message of its own, brought into `failed`. */
  async failed(message: AcceptedMessage): Promise<string[]> {
    const { ids, claim } = await this.leased(message);
    for (const id of ids) await this.record(id, claim, permanent);
    return ids;
  }
}

export const delivered = { kind: 'delivered', reply: '250 2.0.0 OK' } as const;
export const permanent = { kind: 'failed', reply: '550 5.1.1 no such user', replyClass: 'permanent' } as const;
export const returned = { kind: 'returned' } as const;
export const temporary = (nextAttemptAt: number) =>
  ({ kind: 'deferred', reply: '451 4.3.0 later', replyClass: 'temporary', nextAttemptAt }) as const;

export async function rowOf(store: OpenQueue, id: string): Promise<DeliveryRow> {
  const found = await store.deliveries.get(id);
  assert.ok(found, `${id} is there`);
  return found.row;
}

export const stateOf = async (store: OpenQueue, id: string): Promise<DeliveryRow['state']> =>
  (await rowOf(store, id)).state;
