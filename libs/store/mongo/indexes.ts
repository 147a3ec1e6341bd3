import type { CreateIndexesOptions } from 'mongodb';
import { type BlobCollections, chunkIndex } from './blobs/documents.ts';
import type { DirectoryCollections } from './directory/documents.ts';
import type { DkimCollections } from './dkim/documents.ts';
import { dkimIndexes } from './dkim/indexes.ts';
import { directoryIndexes } from './directory/indexes.ts';
import type { GroupCollections } from './groups/documents.ts';
import { groupIndexes } from './groups/indexes.ts';
import { searchIndexes } from './mailboxes/search/search-indexes.ts';
import { statesWithIndex } from './queue/delivery-document.ts';
import { idempotencyIndex } from './queue/accept-writer.ts';

/** An index and the use case that it is for. Unique ones begin with what a sharded collection would be cut by. */
export interface Index {
  collection:
    | 'accepts'
    | 'deliveries'
    | 'owners'
    | 'probes'
    | 'messages'
    | 'messageBodies'
    | 'messageSearch'
    | keyof DirectoryCollections
    | keyof GroupCollections
    | keyof BlobCollections
    | keyof DkimCollections;
  name: string;
  key: Readonly<Record<string, 1>>;
  useCase: string;
  options?: Pick<CreateIndexesOptions, 'unique' | 'sparse' | 'partialFilterExpression' | 'expireAfterSeconds'>;
}

const claimable = { lane: { $gte: 0 } };

/** All indexes besides those of `_id`. */
export const indexes: readonly Index[] = [
  {
    collection: 'accepts',
    name: idempotencyIndex,
    key: { 'idempotency.accountId': 1, 'idempotency.key': 1 },
    useCase: 'one message for an Idempotency-Key of an account',
    options: { unique: true, partialFilterExpression: { 'idempotency.key': { $exists: true } } },
  },
  {
    collection: 'accepts',
    name: 'accepts_unrouted',
    key: { partition: 1, acceptedAt: 1 },
    useCase: 'the sweep’s messages whose fan-out isn’t complete',
    options: { partialFilterExpression: { routedAt: null } },
  },
  {
    collection: 'accepts',
    name: 'accepts_check',
    key: { checkAt: 1 },
    useCase: 'bodies that the collection looks at next',
    options: { partialFilterExpression: { checkAt: { $gte: 0 } } },
  },
  {
    collection: 'accepts',
    name: 'accepts_blob',
    key: { blob: 1 },
    useCase: 'whether a blob is referred to',
    options: { sparse: true },
  },
  {
    collection: 'deliveries',
    name: 'deliveries_ready',
    key: { lane: 1, partition: 1, destination: 1, priority: 1, rank: 1, dueAt: 1 },
    useCase: 'the first due rows of each destination; destinations that wait; the oldest due time',
    options: { partialFilterExpression: claimable },
  },
  {
    collection: 'deliveries',
    name: 'deliveries_waiting',
    key: { partition: 1, dueAt: 1 },
    useCase: 'rows that have fallen due and the next due time; most mail is due at once and never in it',
    options: { partialFilterExpression: { lane: 0 } },
  },
  {
    collection: 'deliveries',
    name: 'deliveries_alarm',
    key: { partition: 1, alarmAt: 1, expiresAt: 1 },
    useCase: 'rows past their time, or whose sender is to be told of a delay',
    options: { partialFilterExpression: claimable },
  },
  {
    collection: 'deliveries',
    name: 'deliveries_leased',
    key: { partition: 1, 'claim.owner': 1, leaseUntil: 1 },
    useCase: 'leases that have ended, or whose owner has gone',
    options: { partialFilterExpression: { state: 'leased' } },
  },
  {
    collection: 'deliveries',
    name: 'deliveries_owed',
    key: { messagePartition: 1, acceptedAt: 1, _id: 1 },
    useCase: 'messages whose sender is owed a report',
    options: { partialFilterExpression: { owed: 1 } },
  },
  {
    collection: 'deliveries',
    name: 'deliveries_done',
    key: { updatedAt: 1 },
    useCase: 'finished rows that are old',
    options: { partialFilterExpression: { done: 1 } },
  },
  {
    collection: 'deliveries',
    name: 'deliveries_state',
    key: { state: 1, _id: 1 },
    useCase: 'the queue API by state; counts. Leased and delivered rows, which are most writes, have other indexes',
    options: { partialFilterExpression: { state: { $in: [...statesWithIndex] } } },
  },
  {
    collection: 'deliveries',
    name: 'deliveries_held',
    key: { destination: 1 },
    useCase: 'held rows of a destination',
    options: { partialFilterExpression: { state: 'held' } },
  },
  {
    collection: 'deliveries',
    name: 'deliveries_terms',
    key: { terms: 1, _id: 1 },
    useCase: 'the queue API by sender, recipient, domain and destination',
  },
  {
    collection: 'deliveries',
    name: 'deliveries_trouble',
    key: { trouble: 1, _id: 1 },
    useCase: 'the queue API by last reply',
    options: { partialFilterExpression: { trouble: 1 } },
  },
  {
    collection: 'owners',
    name: 'owners_gone',
    key: { aliveUntil: 1 },
    useCase: 'garbage: owners that have been gone for an hour',
    options: { expireAfterSeconds: 3_600 },
  },
  {
    collection: 'probes',
    name: 'probes_old',
    key: { probedAt: 1 },
    useCase: 'garbage: probes of processes that have gone',
    options: { expireAfterSeconds: 3_600 },
  },
  {
    collection: 'messages',
    name: 'messages_once',
    key: { accountId: 1, messageId: 1, kind: 1 },
    useCase: 'exactly one copy of a message (promise 4)',
    options: { unique: true },
  },
  {
    collection: 'messages',
    name: 'messages_by_time',
    key: { accountId: 1, flags: 1, receivedAt: 1, _id: 1 },
    useCase: 'lists of all mail, also unread or with attachments',
  },
  {
    collection: 'messages',
    name: 'messages_by_mailbox',
    key: { accountId: 1, mailboxIds: 1, flags: 1, receivedAt: 1, _id: 1 },
    useCase: 'lists of a mailbox, also unread or with attachments',
  },
  {
    collection: 'messages',
    name: 'messages_by_modseq',
    key: { accountId: 1, modseq: 1 },
    useCase: 'what changed since a state',
    options: { unique: true },
  },
  {
    collection: 'messages',
    name: 'messages_by_creation',
    key: { accountId: 1, createdModseq: 1 },
    useCase: 'creations of messages that changed since',
    options: { partialFilterExpression: { changed: true } },
  },
  {
    collection: 'messages',
    name: 'messages_expunged',
    key: { destroyedAt: 1 },
    useCase: 'tombstones that are old',
    options: { sparse: true },
  },
  {
    collection: 'messageBodies',
    name: 'message_bodies_blob',
    key: { blob: 1 },
    useCase: 'whether a blob is referred to',
    options: { sparse: true },
  },
  {
    collection: 'blobChunks',
    name: chunkIndex.name,
    key: chunkIndex.key,
    useCase: 'a body’s chunks in their order; bodies by their age',
    options: { unique: true },
  },
  ...searchIndexes,
  ...directoryIndexes,
  ...dkimIndexes,
  ...groupIndexes,
];
