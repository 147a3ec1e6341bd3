import { z } from 'zod';
import { accountRequestSchemas } from './account-requests.ts';

const id = z.uuid();

const identity = z.object({
  accountId: id,
  /** Typed form of the account's own address. */
  address: z.string(),
  admin: z.boolean(),
  credentialVersion: z.int(),
  /** Empty: all that the account may do (a password); else only these (a token). */
  scopes: z.array(z.string()),
  /** When a token ends, ms; caches keep it no longer. */
  expiresAt: z.number().optional(),
});

const verified = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), identity }),
  /** The same for an unknown user, a wrong password and a disabled account. */
  z.object({ ok: z.literal(false), reason: z.enum(['invalid', 'limited']), retryAfterMs: z.number().optional() }),
]);

const resolution = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('local'),
    /** Each account once, though several aliases name it. */
    targets: z.array(z.object({ accountId: id, address: z.string(), enabled: z.boolean(), overQuota: z.boolean() })),
    /** Where an alias leads to elsewhere: each address once, its domain as A-label. `targets` may be empty then. */
    outside: z.array(z.object({ address: z.string(), domain: z.string() })).optional(),
  }),
  z.object({ kind: z.literal('unknown') }),
  z.object({ kind: z.literal('remote'), domain: z.string() }),
  /** An alias that leads in a circle, or to more than 1,000 targets. */
  z.object({ kind: z.literal('refused'), reason: z.enum(['loop', 'tooMany']) }),
]);

/** What the connection to a host must be (RFC 3207, 7672, 8461); the words of libs/smtp/client. TLSA data is base64. */
const tlsPolicy = z.object({
  mode: z.enum(['never', 'opportunistic', 'required', 'implicit']),
  verify: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('none') }),
    z.object({ kind: z.literal('name'), names: z.array(z.string()) }),
    z.object({
      kind: z.literal('dane'),
      names: z.array(z.string()),
      records: z.array(z.object({ usage: z.int(), selector: z.int(), matchingType: z.int(), data: z.base64() })),
    }),
  ]),
});

/** How a batch for outside goes: it is of one destination, and its hosts are tried in order. */
const way = z.object({
  destination: z.string(),
  protocol: z.enum(['smtp', 'lmtp']),
  /** The operator's route, as its domain stands in WAYPOST_ROUTES: its login is in the worker's own configuration. Absent: found by DNS. */
  route: z.string().optional(),
  hosts: z.array(
    z.object({
      name: z.string(),
      port: z.int(),
      addresses: z.array(z.string()),
      /** Whose permit a connection takes, and the configured limits of that group. */
      group: z.string(),
      limits: z.object({ connections: z.number(), perConnection: z.number(), perSecond: z.number() }),
      tls: tlsPolicy,
    }),
  ),
});

/** Rows handed to a worker, all leased under `claim`. Only what the worker needs; it reads bodies from the spool. */
const batch = z.object({
  claim: z.object({ owner: z.string(), token: z.string() }),
  leaseMs: z.number(),
  /** Of a batch for outside; [] rows have none. */
  way: way.optional(),
  rows: z.array(
    z.object({
      id: z.string(),
      messageId: id,
      kind: z.enum(['inbox', 'sent', 'remote']),
      accountId: z.string().optional(),
      recipient: z.string(),
      destination: z.string(),
      partition: z.int(),
      epoch: z.int(),
      attempts: z.int(),
      expiresAt: z.number(),
      /** Of the accepted bytes: lets the worker bound what it reads at once. */
      sizeBytes: z.int(),
      /** Of rows for outside (RFC 3461): when the sender wants to be told, and ORCPT as given. */
      notify: z.union([z.array(z.enum(['SUCCESS', 'FAILURE', 'DELAY'])), z.literal('NEVER')]).optional(),
      originalRecipient: z.string().optional(),
      /** MAIL FROM of this row, where it isn't the message's: an alias forwards it (SRS). */
      reversePath: z.string().optional(),
    }),
  ),
});

/** Requests between services, with the schema of the question and of the answer. */
export const requestSchemas = {
  'auth.verify': {
    request: z.object({
      username: z.string().max(320),
      password: z.string().max(1024),
      remoteAddress: z.string(),
      via: z.enum(['smtp', 'http', 'imap', 'pop3']),
    }),
    reply: verified,
  },
  'auth.token': {
    request: z.object({
      token: z.string().max(256),
      remoteAddress: z.string(),
      via: z.enum(['smtp', 'http', 'imap', 'pop3']),
    }),
    reply: verified,
  },
  'directory.resolve': {
    /** Addresses as they stand in RCPT, answered in order. */
    request: z.object({ addresses: z.array(z.string().max(330)).max(1000) }),
    reply: z.object({ results: z.array(resolution) }),
  },
  ...accountRequestSchemas,
  /** Asked of one owner (`to` = its name): due local rows, up to `capacity`; waits up to `waitMs` for the first. */
  'queue.pull': {
    request: z.object({
      kind: z.enum(['local', 'remote']),
      worker: z.string(),
      capacity: z.int().min(1).max(1000),
      waitMs: z.number().max(30_000),
    }),
    reply: batch,
  },
} as const;

export type RequestName = keyof typeof requestSchemas;
export type RequestOf<N extends RequestName> = z.infer<(typeof requestSchemas)[N]['request']>;
export type ReplyOf<N extends RequestName> = z.infer<(typeof requestSchemas)[N]['reply']>;

export type Identity = z.infer<typeof identity>;
export type Verified = z.infer<typeof verified>;
export type Resolution = z.infer<typeof resolution>;
export type Batch = z.infer<typeof batch>;
export type Way = z.infer<typeof way>;
