import type { EventType } from '../../libs/bus/events.ts';
import type { RequestName } from '../../libs/bus/requests.ts';
import type { WakeName } from '../../libs/bus/wakes.ts';

/** What one user may do on NATS and MongoDB. All that isn't named is refused. */
export interface Rights {
  user: string;
  /** For docs/rights.md. */
  purpose: string;
  nats: NatsRights;
  /** Actions by collection; undefined: no user in MongoDB. */
  mongodb: MongoRights | undefined;
}

export interface NatsRights {
  /** Requests that it answers, and may answer only when it was asked. */
  answers: readonly RequestName[];
  /** Requests that it asks; replies come to its own inbox, where nobody else may listen. */
  asks: readonly RequestName[];
  publishes: readonly EventType[];
  reads: readonly EventType[];
  wakes: readonly WakeName[];
  wokenBy: readonly WakeName[];
  /** `look`: see the stream's settings. `make`: make and change the stream. `consume`: a durable consumer that has the user's name. */
  stream: 'look' | 'make' | 'consume';
}

export interface MongoRights {
  collections: Readonly<Record<string, readonly CollectionAction[]>>;
  /** Actions on every collection of the database, those to come too. */
  everywhere: readonly DatabaseAction[];
}

export type CollectionAction = 'find' | 'insert' | 'update' | 'remove';
export type DatabaseAction =
  | 'createCollection'
  | 'createIndex'
  | 'dbStats'
  | 'listCollections'
  | 'listIndexes'
  | 'collMod'
  | 'dropIndex';

const read = ['find'] as const;
const add = ['find', 'insert'] as const;
const change = ['find', 'insert', 'update'] as const;
const all = ['find', 'insert', 'update', 'remove'] as const;

/** Addresses, quotas, who is enabled: nothing in it is secret, and only auth writes it. */
const directory = ['domains', 'addresses', 'accounts', 'removed_accounts'] as const;
/** Hashes of passwords and tokens, and who failed to log in: for auth alone. */
const secrets = ['credentials', 'tokens', 'login_failures', 'login_successes'] as const;

const accountRequests = [
  'account.create',
  'account.get',
  'account.list',
  'account.update',
  'account.remove',
  'account.purged',
  'appPassword.list',
  'appPassword.add',
  'appPassword.remove',
] as const satisfies readonly RequestName[];

const logins = ['auth.verify', 'auth.token'] as const satisfies readonly RequestName[];

const on = <A>(collections: readonly string[], actions: A): Record<string, A> =>
  Object.fromEntries(collections.map((name) => [name, actions]));

/** What every service does when it starts: compare the schema, see that writes commit, see how full the disks are. */
const everyService = { meta: read, probes: change } as const;
/** Large bodies, where they are in GridFS. */
const blobs = (actions: readonly CollectionAction[]) => on(['blobs.files', 'blobs.chunks'], actions);

/** Everything that Waypost's users may do: deploy/rights/rights.ts makes them, docs/rights.md shows them. */
export const rights: readonly Rights[] = [
  {
    user: 'auth',
    purpose: 'The directory, credentials, tokens, login limits and DKIM keys; nobody else answers for them.',
    nats: {
      answers: [...logins, 'directory.resolve', ...accountRequests],
      // Its own HTTP API asks as the others do.
      asks: logins,
      publishes: ['account.changed', 'login.failed'],
      reads: [],
      wakes: [],
      wokenBy: [],
      stream: 'look',
    },
    mongodb: {
      collections: {
        ...on(directory, all),
        ...on(secrets, all),
        // Private keys: delivery signs with them, and nobody else reads them.
        dkim_keys: all,
        // A changed quota is copied to the mailboxes.
        mail_accounts: change,
        ...everyService,
      },
      everywhere: ['dbStats'],
    },
  },
  {
    user: 'ingress',
    purpose: 'Accepts messages and makes their delivery rows; reads who exists.',
    nats: {
      answers: [],
      asks: [...logins, 'directory.resolve'],
      publishes: ['mail.accepted'],
      reads: ['account.changed', 'mailbox.quota'],
      wakes: ['queue.rows'],
      wokenBy: [],
      stream: 'look',
    },
    mongodb: {
      collections: {
        ...on(directory, read),
        accepts: change,
        deliveries: ['insert'],
        // Whether an account is over its quota.
        mail_accounts: read,
        // Writes them, and takes back one that was given up.
        ...blobs(['insert', 'remove']),
        ...everyService,
      },
      everywhere: ['dbStats'],
    },
  },
  {
    user: 'queue',
    purpose: 'Owns partitions, hands out what is due, reports failures, collects bodies.',
    nats: {
      answers: ['queue.pull'],
      asks: logins,
      publishes: ['mail.accepted', 'mail.deferred', 'mail.bounced', 'mail.cancelled'],
      reads: [],
      wakes: ['queue.rows', 'queue.ready', 'queue.owners', 'queue.destinations'],
      wokenBy: ['queue.rows', 'queue.settled', 'queue.owners', 'queue.destinations'],
      stream: 'look',
    },
    mongodb: {
      collections: {
        ...on(directory, read),
        accepts: all,
        deliveries: all,
        partitions: ['find', 'update'],
        owners: change,
        // Limits of destinations over the whole cluster.
        groups: all,
        destinations: all,
        // What operators did with the queue.
        queue_actions: all,
        // Whether a body is still referred to.
        messages: read,
        message_bodies: read,
        ...blobs(['find', 'insert', 'remove']),
        ...everyService,
      },
      everywhere: ['dbStats'],
    },
  },
  {
    user: 'delivery',
    purpose: 'Sends to other servers.',
    nats: {
      answers: [],
      asks: ['queue.pull'],
      publishes: ['mail.delivered', 'mail.deferred', 'mail.cancelled'],
      reads: [],
      wakes: ['queue.rows', 'queue.settled'],
      wokenBy: ['queue.ready'],
      stream: 'look',
    },
    mongodb: {
      collections: {
        accepts: read,
        // Renews leases and writes what became of attempts.
        deliveries: ['find', 'update'],
        ...blobs(['find']),
        // Permits of the groups that it dials, and what became of them.
        groups: change,
        dkim_keys: read,
        ...everyService,
      },
      everywhere: ['dbStats'],
    },
  },
  {
    user: 'mailbox',
    purpose: 'Mailboxes: local deliveries with their outcome, the HTTP API, sending over HTTP.',
    nats: {
      answers: [],
      asks: [...logins, 'directory.resolve', ...accountRequests, 'queue.pull'],
      publishes: [
        'mail.accepted',
        'mail.delivered',
        'mail.deferred',
        'mail.cancelled',
        'mailbox.changed',
        'mailbox.quota',
      ],
      reads: ['account.changed', 'mailbox.changed', 'mailbox.quota'],
      wakes: ['queue.rows', 'queue.settled'],
      wokenBy: ['queue.ready'],
      stream: 'look',
    },
    mongodb: {
      collections: {
        ...on(directory, read),
        accepts: change,
        deliveries: change,
        mail_accounts: all,
        messages: all,
        message_bodies: all,
        thread_references: all,
        message_search: all,
        ...blobs(['find', 'insert', 'remove']),
        ...everyService,
      },
      everywhere: ['dbStats'],
    },
  },
  {
    user: 'migrate',
    purpose: '`waypost migrate`: collections, indexes and the stream. Reads no mail and no secret.',
    nats: { answers: [], asks: [], publishes: [], reads: [], wakes: [], wokenBy: [], stream: 'make' },
    mongodb: {
      collections: { meta: change, partitions: add },
      everywhere: ['createCollection', 'createIndex', 'listCollections', 'listIndexes', 'collMod', 'dropIndex'],
    },
  },
  {
    user: 'events-reader',
    purpose: 'An example for programs of others: reads events by a durable consumer of its own name.',
    nats: { answers: [], asks: [], publishes: [], reads: [], wakes: [], wokenBy: [], stream: 'consume' },
    mongodb: undefined,
  },
];
