import type { ClientSession, Collection, Db, MongoClient } from 'mongodb';
import { type BlobCollections, blobCollections } from './blobs/documents.ts';
import { type DirectoryCollections, directoryCollections } from './directory/documents.ts';
import { type GroupCollections, groupCollections } from './groups/documents.ts';
import { type DkimCollections, dkimCollections } from './dkim/documents.ts';
import type { AcceptDocument } from './queue/accept-document.ts';
import type { DeliveryDocument } from './queue/delivery-document.ts';
import type { OwnerDocument, PartitionDocument } from './queue/partitions.ts';
import type { QueueActionDocument } from './queue/queue-audit.ts';
import type {
  MailAccountDocument,
  MessageBodyDocument,
  MessageDocument,
  ThreadReferenceDocument,
} from './mailboxes/documents.ts';
import type { SearchDocument } from './mailboxes/search/search-document.ts';
import { NewerDocuments } from './newer-documents.ts';
import { storeError } from './write-errors.ts';

/** All collections. docs/decisions/mongodb-documents.md says why they are cut like this. */
export interface MongoDatabase extends DirectoryCollections, BlobCollections, GroupCollections, DkimCollections {
  client: MongoClient;
  db: Db;
  accepts: Collection<AcceptDocument>;
  deliveries: Collection<DeliveryDocument>;
  partitions: Collection<PartitionDocument>;
  owners: Collection<OwnerDocument>;
  /** What operators did with the queue. */
  queueActions: Collection<QueueActionDocument>;
  mailAccounts: Collection<MailAccountDocument>;
  messages: Collection<MessageDocument>;
  messageBodies: Collection<MessageBodyDocument>;
  threadReferences: Collection<ThreadReferenceDocument>;
  messageSearch: Collection<SearchDocument>;
  /** Of the directory, which auth alone writes: an account exists as long as its document does. */
  accounts: Collection<{ _id: string }>;
  meta: Collection<MetaDocument>;
  probes: Collection<ProbeDocument>;
  newer: NewerDocuments;
}

/** `incarnation` of the mailboxes' states, and the `schema` (SchemaDocument). Services only read it. */
export interface MetaDocument {
  _id: string;
  v: 1;
  incarnation?: number;
  version?: number;
  made?: readonly string[];
}

/** What a process writes to see whether writes commit; gone by itself a while after its last. */
interface ProbeDocument {
  _id: string;
  v: 1;
  probedAt: Date;
}

export function collectionsOf(client: MongoClient, name: string | undefined): MongoDatabase {
  const db = client.db(name);
  return {
    client,
    db,
    ...blobCollections(db),
    accepts: db.collection('accepts'),
    deliveries: db.collection('deliveries'),
    partitions: db.collection('partitions'),
    owners: db.collection('owners'),
    queueActions: db.collection('queue_actions'),
    mailAccounts: db.collection('mail_accounts'),
    messages: db.collection('messages'),
    messageBodies: db.collection('message_bodies'),
    threadReferences: db.collection('thread_references'),
    messageSearch: db.collection('message_search'),
    accounts: db.collection('accounts'),
    meta: db.collection('meta'),
    probes: db.collection('probes'),
    ...directoryCollections(db),
    ...dkimCollections(db),
    ...groupCollections(db),
    newer: new NewerDocuments(),
  };
}

/** Collections for the reads of one moment. */
export type SnapshotReads = Pick<
  MongoDatabase,
  'mailAccounts' | 'messages' | 'messageSearch' | 'deliveries' | 'newer'
> & {
  session: ClientSession;
};

/**
 * Reads of one moment: what they see is committed to a majority and belongs together. The handles are new each time: the driver writes the time of the
 * session into the read concern of the handle that an aggregate came by, and there it would stay.
 */
export async function snapshot<T>(
  { client, db, newer }: MongoDatabase,
  work: (reads: SnapshotReads) => Promise<T>,
): Promise<T> {
  const session = client.startSession({ snapshot: true });
  // What a handle says of its read concern outranks the session.
  const options = { readConcern: { level: 'snapshot' } } as const;
  try {
    return await work({
      session,
      newer,
      mailAccounts: db.collection('mail_accounts', options),
      messages: db.collection('messages', options),
      messageSearch: db.collection('message_search', options),
      deliveries: db.collection('deliveries', options),
    });
  } catch (error) {
    throw storeError(error, false);
  } finally {
    await session.endSession();
  }
}
