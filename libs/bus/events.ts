import { z } from 'zod';

const id = z.uuid().meta({ description: 'UUIDv7' });
const reply = z.string().max(2048);

/** What each event carries; docs/events.md is made from this. Fields are only ever added, and readers ignore what they don't know. */
export const eventSchemas = {
  'mail.accepted': z
    .object({
      messageId: id,
      sender: z.string().meta({ description: "RFC 5321 reverse-path, '' for the null sender" }),
      sizeBytes: z.int(),
      source: z.enum(['mx', 'submission', 'lmtp', 'http', 'report']),
      targets: z.int().meta({ description: 'number of deliveries' }),
    })
    .meta({ description: 'A message and all its targets are on stable storage.' }),
  'mail.delivered': z
    .object({
      deliveryId: z.string(),
      messageId: id,
      recipient: z.string(),
      destination: z.string(),
      accountId: id.optional(),
      reply,
    })
    .meta({ description: 'A delivery has reached its mailbox or the next server.' }),
  'mail.deferred': z
    .object({
      deliveryId: z.string(),
      messageId: id,
      recipient: z.string(),
      destination: z.string(),
      reply,
      nextAttemptAt: z.iso.datetime(),
    })
    .meta({ description: 'An attempt failed for now; the next one is scheduled.' }),
  'mail.bounced': z
    .object({
      deliveryId: z.string(),
      messageId: id,
      recipient: z.string(),
      destination: z.string(),
      reply,
      reportId: id.optional().meta({ description: 'the message that tells the sender, when one is owed' }),
    })
    .meta({ description: 'A delivery has failed for good.' }),
  'mail.cancelled': z
    .object({
      deliveryId: z.string(),
      messageId: id,
      recipient: z.string(),
      destination: z.string(),
      actor: z.string(),
    })
    .meta({ description: 'An operator or the sender has cancelled a delivery.' }),
  'mailbox.changed': z
    .object({ accountId: id, state: z.string().meta({ description: 'the state token after the change' }) })
    .meta({ description: 'Something in an account has changed; /changes says what.' }),
  'mailbox.quota': z
    .object({ accountId: id, over: z.boolean() })
    .meta({ description: 'An account has passed its quota, or is under it again.' }),
  'account.changed': z
    .object({
      accountId: id.optional(),
      addresses: z.array(z.string()).max(1000).meta({ description: 'keys whose meaning may have changed; [] = any' }),
      change: z.enum(['created', 'updated', 'removed', 'credentials', 'alias', 'domain']),
    })
    .meta({ description: 'The directory has changed: caches drop what they hold of these.' }),
  'login.failed': z
    .object({
      username: z.string().max(320).meta({
        description: 'an address as it was typed; `(token)`; empty when it was no address: it may be a password',
      }),
      network: z.string().meta({ description: 'IPv4 /32 or IPv6 /64 of the client' }),
      via: z.enum(['smtp', 'http', 'imap', 'pop3']),
      limited: z.boolean().meta({ description: 'refused without a check, too many failures' }),
    })
    .meta({ description: 'A login was refused.' }),
} as const;

export type EventType = keyof typeof eventSchemas;
export type EventData<T extends EventType> = z.infer<(typeof eventSchemas)[T]>;
