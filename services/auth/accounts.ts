import { parseAddress } from '../../libs/mail/address/mailbox-address.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { NotFound, Refused } from '../../libs/store/errors.ts';
import type { Account, DirectoryAdmin } from '../../libs/store/ports/directory.ts';
import type { AuthContext } from './context.ts';

export interface NewAccount {
  address: string;
  password: string;
  displayName?: string | null;
  enabled?: boolean;
  admin?: boolean;
  quota?: Account['quota'];
}

/** The password fits the policy already (libs/directory/password-policy.ts). */
export async function createAccount(context: AuthContext, input: NewAccount, signal?: AbortSignal): Promise<Account> {
  const address = parseAddress(input.address);
  if (address === undefined) throw new Refused('invalidAddress', `${input.address} is no address`);
  const account: Account = {
    id: newId(),
    key: address.key,
    address: address.display,
    displayName: input.displayName ?? null,
    enabled: input.enabled ?? true,
    admin: input.admin ?? false,
    quota: input.quota ?? { bytes: null, messages: null },
    credentialVersion: 1,
    createdAt: context.clock.nowMs(),
  };
  const hash = await context.slots.run(() => context.passwords.hash(input.password), signal);
  await context.directoryAdmin.addAccount(account, hash);
  await context.copyQuotas();
  announce(context, account, 'created');
  return account;
}

export async function getAccount(
  context: AuthContext,
  id: string,
): Promise<{ account: Account; usage: { bytes: number; messages: number } }> {
  const account = (await context.directory.accounts([id])).get(id);
  if (account === undefined) throw new NotFound('account');
  const use = (await context.mailboxes.usage([id])).get(id);
  return { account, usage: { bytes: use?.bytes ?? 0, messages: use?.messages ?? 0 } };
}

/** One page, and where the next begins. */
export async function listAccounts(
  context: AuthContext,
  { limit, after }: { limit: number; after?: string },
): Promise<{ accounts: readonly Account[]; next: string | null }> {
  const page = { limit: limit + 1, ...(after === undefined ? {} : { cursor: after }) };
  const found = await context.directoryAdmin.listAccounts(page);
  const accounts = found.slice(0, limit);
  return { accounts, next: found.length > limit ? (accounts.at(-1)?.key ?? null) : null };
}

export async function updateAccount(
  context: AuthContext,
  id: string,
  { password, ...patch }: Omit<Parameters<DirectoryAdmin['updateAccount']>[1], 'passwordHash'> & { password?: string },
  signal?: AbortSignal,
): Promise<Account> {
  const hash =
    password === undefined ? undefined : await context.slots.run(() => context.passwords.hash(password), signal);
  const changes = { ...patch, ...(hash === undefined ? {} : { passwordHash: hash }) };
  const account = await context.directoryAdmin.updateAccount(id, changes);
  if (patch.quota !== undefined) await context.copyQuotas();
  announce(context, account, 'updated');
  return account;
}

/** Mail of the account is removed by mailbox: at the event, or when it next looks for removed accounts. */
export async function removeAccount(context: AuthContext, id: string): Promise<void> {
  const { account } = await getAccount(context, id);
  await context.directoryAdmin.removeAccount(id, context.clock.nowMs());
  announce(context, account, 'removed');
}

function announce(context: AuthContext, account: Account, change: 'created' | 'updated' | 'removed'): void {
  context.bus.publish('account.changed', { accountId: account.id, addresses: [account.key], change });
}
