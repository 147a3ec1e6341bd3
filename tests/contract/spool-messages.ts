import { createHash } from 'node:crypto';
import { localDestination } from '../../libs/delivery/partition.ts';
import { partitionCount, type Target } from '../../libs/delivery/row.ts';
import { newId } from '../../libs/runtime/ids.ts';
import type { Deliveries } from '../../libs/store/ports/deliveries.ts';
import type { Partitions } from '../../libs/store/ports/partitions.ts';
import type { AcceptedMessage, Spool } from '../../libs/store/ports/spool.ts';

/** The ports of the queue over one store; each `open` of a suite gives an empty one. */
export interface OpenQueue {
  spool: Spool;
  deliveries: Deliveries;
  partitions: Partitions;
  close(): Promise<void>;
}

export const allPartitions: readonly number[] = Array.from({ length: partitionCount }, (_, n) => n);
export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

/** A message to one local account, or to as many targets as are given; `n` of each is its place. */
export function makeMessage(
  change: Partial<AcceptedMessage> & { text?: string; to?: readonly Partial<Target>[] } = {},
): AcceptedMessage {
  const { text = 'Subject: hello\r\n\r\nbody\r\n', to = [{}], ...rest } = change;
  const bytes = new TextEncoder().encode(text);
  const acceptedAt = change.acceptedAt ?? Date.now();
  return {
    messageId: newId(),
    acceptedAt,
    envelope: { reversePath: 'sender@remote.example', smtputf8: false, body: '8BITMIME' },
    source: { by: 'mx', remoteAddress: '192.0.2.1', helo: 'client.example' },
    trace: 'Received: from client.example\r\n\tby mail.example.test; now\r\n',
    body: { kind: 'inline', bytes },
    sizeBytes: bytes.length,
    sha256: sha256(bytes),
    targets: to.map((target, n) => makeTarget({ n, acceptedAt, ...target })),
    ...rest,
  };
}

function makeTarget({ acceptedAt, ...change }: Partial<Target> & { n: number; acceptedAt: number }): Target {
  const accountId = change.accountId ?? newId();
  const local = change.kind !== 'remote';
  const target: Target = {
    kind: 'inbox',
    recipient: `user${change.n}@example.test`,
    destination: local ? localDestination(accountId) : 'remote.example',
    priority: 1,
    rank: acceptedAt,
    dueAt: acceptedAt,
    expiresAt: acceptedAt + 5 * dayMs,
    ...change,
  };
  return local ? { ...target, accountId } : target;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Accepts a message and completes its fan-out; answers the ids of its deliveries in the order of the targets. */
export async function enqueue(spool: Spool, message: AcceptedMessage): Promise<string[]> {
  await spool.accept(message);
  await spool.fanOut(message.messageId);
  return message.targets.map((target) => `${message.messageId}/${target.n}`);
}
