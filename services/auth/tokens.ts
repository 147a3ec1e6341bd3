import { randomBytes } from 'node:crypto';
import { newId } from '../../libs/runtime/ids.ts';
import type { TokenRow } from '../../libs/store/ports/credentials.ts';
import type { AuthContext } from './context.ts';
import { secretDigest } from './passwords.ts';

const tokenForm = /^wp_[A-Za-z0-9_-]{43}$/;

/** `wp_` and 256 random bits: the prefix lets scanners of leaked secrets know it. */
export const isToken = (text: string): boolean => tokenForm.test(text);

/** The token itself is in this answer alone; only its SHA-256 is kept. */
export async function createToken(
  context: AuthContext,
  input: { accountId: string; name: string; scopes: readonly string[]; expiresAt: number | null },
): Promise<{ row: TokenRow; token: string }> {
  const token = `wp_${randomBytes(32).toString('base64url')}`;
  const row = { ...input, id: newId(), hash: secretDigest(token), createdAt: context.clock.nowMs() };
  await context.credentials.addToken(row);
  return { row, token };
}

export async function removeToken(context: AuthContext, accountId: string, id: string): Promise<void> {
  await context.credentials.removeToken(accountId, id);
  context.bus.publish('account.changed', { accountId, addresses: [], change: 'credentials' });
}
