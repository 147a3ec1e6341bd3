import { newId } from '../../libs/runtime/ids.ts';
import { NotFound } from '../../libs/store/errors.ts';
import type { CredentialRow } from '../../libs/store/ports/credentials.ts';
import type { AuthContext } from './context.ts';
import { randomText, secretDigest } from './passwords.ts';

/** 160 random bits: enough that SHA-256 keeps it as well as a slow hash would, and still typed into a phone. */
const appPasswordLength = 32;

/** The password itself is in this answer alone. */
export async function addAppPassword(
  context: AuthContext,
  accountId: string,
  name: string,
): Promise<{ row: CredentialRow; password: string }> {
  const password = randomText(appPasswordLength);
  const base = { id: newId(), accountId, kind: 'app' as const, name };
  const row = { ...base, hash: secretDigest(password), createdAt: context.clock.nowMs() };
  await context.credentials.addAppPassword(row);
  announce(context, accountId);
  return { row, password };
}

export async function listAppPasswords(context: AuthContext, accountId: string): Promise<readonly CredentialRow[]> {
  if (!(await context.directory.accounts([accountId])).has(accountId)) throw new NotFound('account');
  return context.credentials.appPasswords(accountId);
}

export async function removeAppPassword(context: AuthContext, accountId: string, id: string): Promise<void> {
  await context.credentials.removeAppPassword(accountId, id);
  announce(context, accountId);
}

function announce(context: AuthContext, accountId: string): void {
  context.bus.publish('account.changed', { accountId, addresses: [], change: 'credentials' });
}
