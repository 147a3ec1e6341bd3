import { z } from 'zod';
import type { AccountView } from '../../../libs/bus/account-requests.ts';
import { newPassword } from '../../../libs/directory/password-policy.ts';
import { parseAddress } from '../../../libs/mail/address/mailbox-address.ts';

const limit = z.int().min(0).nullable().meta({ description: 'null: no limit' });
const quota = z.object({ bytes: limit, messages: limit }).meta({ id: 'Quota' });
const newQuota = z.strictObject({ bytes: limit.default(null), messages: limit.default(null) });
const displayName = z.string().max(256).nullable();

export const AccountSchema = z
  .object({
    id: z.string(),
    address: z.string(),
    displayName,
    enabled: z.boolean(),
    admin: z.boolean(),
    quota,
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Account' });

export const AccountUseSchema = AccountSchema.extend({
  usage: z.object({ bytes: z.int(), messages: z.int() }),
}).meta({ id: 'AccountWithUsage' });

export const AccountListSchema = z
  .object({ items: z.array(AccountSchema), nextCursor: z.string().nullable() })
  .meta({ id: 'AccountList' });

export const NewAccountSchema = z.strictObject({
  address: z
    .string()
    .max(330)
    .refine((address) => parseAddress(address) !== undefined, 'an address such as alice@example.org'),
  password: newPassword,
  displayName: displayName.exactOptional(),
  enabled: z.boolean().exactOptional(),
  admin: z.boolean().exactOptional(),
  quota: newQuota.exactOptional(),
});

export const AccountPatchSchema = z.strictObject({
  displayName: displayName.exactOptional(),
  password: newPassword.exactOptional(),
  currentPassword: z.string().max(1024).exactOptional(),
  enabled: z.boolean().exactOptional(),
  admin: z.boolean().exactOptional(),
  quota: newQuota.exactOptional(),
});

export const accountPage = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(100),
  cursor: z.string().max(2048).optional(),
});

export const accountCursor = z.strictObject({ after: z.string().max(330) });

export function showAccount(account: AccountView): z.output<typeof AccountSchema> {
  const { id, address, displayName: name, enabled, admin, quota: limits, createdAt } = account;
  return {
    id,
    address,
    displayName: name,
    enabled,
    admin,
    quota: limits,
    createdAt: new Date(createdAt).toISOString(),
  };
}
