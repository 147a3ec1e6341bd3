import { z } from 'zod';
import { newPassword } from '../directory/password-policy.ts';

const id = z.uuid();
const quota = z.object({
  bytes: z.int().min(0).nullable(),
  messages: z.int().min(0).nullable(),
});
const displayName = z.string().max(256).nullable();

const account = z.object({
  id,
  /** Typed form. */
  address: z.string(),
  displayName,
  enabled: z.boolean(),
  admin: z.boolean(),
  quota,
  createdAt: z.number(),
});

const appPassword = z.object({ id, name: z.string(), createdAt: z.number() });

/** The domain says no: an answer, not a failure of the request. `rule` of `refused` is a stable code. */
export const accountRefusal = z.object({
  ok: z.literal(false),
  code: z.enum(['notFound', 'alreadyExists', 'refused', 'wrongPassword', 'limited']),
  what: z.string(),
  rule: z.string().exactOptional(),
  retryAfterMs: z.number().exactOptional(),
});

const answer = <S extends z.ZodRawShape>(shape: S) =>
  z.discriminatedUnion('ok', [z.object({ ok: z.literal(true), ...shape }), accountRefusal]);

/** Accounts, asked of auth by mailbox, which serves their paths. Passwords pass through here: bodies of these requests are never logged. */
export const accountRequestSchemas = {
  'account.create': {
    request: z.object({
      address: z.string().max(330),
      password: newPassword,
      displayName: displayName.exactOptional(),
      enabled: z.boolean().exactOptional(),
      admin: z.boolean().exactOptional(),
      quota: quota.exactOptional(),
    }),
    reply: answer({ account }),
  },
  'account.get': {
    request: z.object({ id }),
    reply: answer({ account, usage: z.object({ bytes: z.number(), messages: z.number() }) }),
  },
  /** In the order of their addresses; `after` is `next` of the page before. */
  'account.list': {
    request: z.object({ limit: z.int().min(1).max(500), after: z.string().max(330).exactOptional() }),
    reply: z.object({ accounts: z.array(account), next: z.string().nullable() }),
  },
  'account.update': {
    request: z.object({
      id,
      patch: z.object({
        displayName: displayName.exactOptional(),
        enabled: z.boolean().exactOptional(),
        admin: z.boolean().exactOptional(),
        quota: quota.exactOptional(),
        password: newPassword.exactOptional(),
      }),
      /** The account changes itself: checked like a login, failures count. */
      proof: z.object({ currentPassword: z.string().max(1024), remoteAddress: z.string() }).exactOptional(),
    }),
    reply: answer({ account }),
  },
  'account.remove': { request: z.object({ id }), reply: answer({}) },
  /** mailbox has removed all mail of an account that is gone. */
  'account.purged': { request: z.object({ id }), reply: answer({}) },
  'appPassword.list': { request: z.object({ accountId: id }), reply: answer({ items: z.array(appPassword) }) },
  /** The password is in this answer alone. */
  'appPassword.add': {
    request: z.object({ accountId: id, name: z.string().min(1).max(256) }),
    reply: answer({ item: appPassword, password: z.string() }),
  },
  'appPassword.remove': { request: z.object({ accountId: id, id }), reply: answer({}) },
} as const;

export type AccountView = z.infer<typeof account>;
export type AccountRefusal = z.infer<typeof accountRefusal>;
