import { timingSafeEqual } from 'node:crypto';
import type { Identity, RequestOf, Verified } from '../../libs/bus/requests.ts';
import { normalisePassword } from '../../libs/directory/password-policy.ts';
import { parseAddress } from '../../libs/mail/address/mailbox-address.ts';
import type { Account } from '../../libs/store/ports/directory.ts';
import type { CredentialRow } from '../../libs/store/ports/credentials.ts';
import { clientNetwork } from '../../libs/runtime/client-network.ts';
import type { AuthContext } from './context.ts';
import { type LoginAttempt, type Standing, loginAttempt } from './login-limiter.ts';
import { secretDigest } from './passwords.ts';
import { isToken } from './tokens.ts';

/** An application password is for mail programs: it reads and sends mail, it doesn't change the account. */
const appPasswordScopes = ['mail:read', 'mail:write', 'mail:send'];

const tokenUser = '(token)';

/** No account has it: what an unknown user's credentials are looked up by, so that both ways ask the store the same. */
const nobodysId = '00000000-0000-0000-0000-000000000000';

/**
 * Checks a user name (the account's address, or its local part in the first domain) and a password. Unknown user, wrong password and disabled account
 * get the same answer after the same work: the same questions to the store, one argon2id computation, one failure counted.
 */
export async function verifyPassword(
  context: AuthContext,
  { username, password, remoteAddress, via }: RequestOf<'auth.verify'>,
  signal?: AbortSignal,
): Promise<Verified> {
  const key = parseAddress(username.includes('@') ? username : `${username}@${context.config.domain}`)?.key;
  const attempt = loginAttempt(key ?? username, clientNetwork(remoteAddress));
  const told = { username, remoteAddress, via };
  const before = await context.limiter.standing(attempt);
  if (before.retryAfterMs !== undefined) return refuse(context, told, before.retryAfterMs);

  return context.slots.run(async () => {
    // Again, because others of this kind may have failed while this one waited for its turn.
    const standing = await context.limiter.standing(attempt);
    if (standing.retryAfterMs !== undefined) return refuse(context, told, standing.retryAfterMs);
    const identity = await identify(context, key, password);
    if (identity === undefined) {
      await context.limiter.failed(attempt);
      return refuse(context, told);
    }
    await noteSuccess(context, attempt, standing);
    context.metrics.logins.inc({ via });
    return { ok: true, identity };
  }, signal);
}

/** Whether `password` is the account's own password: what it takes to change it. Counted and limited like a login. */
export async function provePassword(
  context: AuthContext,
  account: Account,
  proof: { currentPassword: string; remoteAddress: string },
  signal?: AbortSignal,
): Promise<Verified> {
  const request = { username: account.key, password: proof.currentPassword, remoteAddress: proof.remoteAddress };
  const verified = await verifyPassword(context, { ...request, via: 'http' }, signal);
  const own = verified.ok && verified.identity.accountId === account.id && verified.identity.scopes.length === 0;
  return own || !verified.ok ? verified : { ok: false, reason: 'invalid' };
}

/** A token has 256 random bits: it needs neither a slow hash nor a limit of guesses. */
export async function verifyToken(
  context: AuthContext,
  { token, remoteAddress, via }: RequestOf<'auth.token'>,
): Promise<Verified> {
  const identity = isToken(token) ? await identifyToken(context, secretDigest(token)) : undefined;
  if (identity === undefined) return refuse(context, { username: tokenUser, remoteAddress, via });
  context.metrics.logins.inc({ via });
  return { ok: true, identity };
}

async function identify(
  context: AuthContext,
  key: string | undefined,
  password: string,
): Promise<Identity | undefined> {
  const found = await context.directory.lookup({ keys: key === undefined ? [] : [key], domains: [] });
  const entry = key === undefined ? undefined : found.entries.get(key);
  const account = entry?.kind === 'account' ? entry.account : undefined;
  // After the account was read: a credential that goes now leaves its account with another credentialVersion than the one we tell.
  const rows = await context.credentials.ofAccount(account?.id ?? nobodysId);
  const isApp = fitsAppPassword(rows, password);
  const isOwn = await context.passwords.verify(rows.find(({ kind }) => kind === 'password')?.hash, password);
  if (account === undefined || !account.enabled || !(isOwn || isApp)) return undefined;
  return identityOf(account, isOwn ? [] : appPasswordScopes);
}

/** Looks at every one, so that it takes the same time whichever fits. */
function fitsAppPassword(rows: readonly CredentialRow[], password: string): boolean {
  const digest = Buffer.from(secretDigest(normalisePassword(password)), 'hex');
  let fits = false;
  for (const { kind, hash } of rows) {
    const stored = Buffer.from(kind === 'app' ? hash : '', 'hex');
    if (stored.length === digest.length && timingSafeEqual(stored, digest)) fits = true;
  }
  return fits;
}

async function identifyToken(context: AuthContext, hash: string): Promise<Identity | undefined> {
  const token = await context.credentials.tokenByHash(hash);
  if (token === undefined) return undefined;
  const account = (await context.directory.accounts([token.accountId])).get(token.accountId);
  // Once more after the account: removed meanwhile, it would be kept by caches under a credentialVersion that is newer than its end.
  if (account === undefined || !account.enabled || (await context.credentials.tokenByHash(hash)) === undefined)
    return undefined;
  if (token.expiresAt !== null && token.expiresAt <= context.clock.nowMs()) return undefined;
  // No scopes would mean all of them.
  if (token.scopes.length === 0) return undefined;
  const identity = identityOf(account, token.scopes);
  return token.expiresAt === null ? identity : { ...identity, expiresAt: token.expiresAt };
}

function identityOf({ id, address, admin, credentialVersion }: Account, scopes: readonly string[]): Identity {
  return { accountId: id, address, admin, credentialVersion, scopes: [...scopes] };
}

function refuse(
  context: AuthContext,
  who: Pick<RequestOf<'auth.verify'>, 'username' | 'remoteAddress' | 'via'>,
  retryAfterMs?: number,
): Verified {
  const reason = retryAfterMs === undefined ? 'invalid' : 'limited';
  const network = clientNetwork(who.remoteAddress);
  context.metrics.loginFailures.inc({ via: who.via, reason });
  context.bus.publish('login.failed', {
    username: toldName(who.username),
    network,
    via: who.via,
    limited: reason === 'limited',
  });
  return retryAfterMs === undefined ? { ok: false, reason } : { ok: false, reason, retryAfterMs };
}

/** What was typed as a user name and is no address may be a password in the wrong field: events are kept, so it isn't told. */
function toldName(username: string): string {
  return username === tokenUser || parseAddress(username) !== undefined ? username : '';
}

/** A full disk must not keep people from their mail: what can't be noted of a good login is let go. */
async function noteSuccess(context: AuthContext, attempt: LoginAttempt, before: Standing): Promise<void> {
  try {
    await context.limiter.succeeded(attempt, before);
  } catch (error) {
    context.log.warn({ err: error }, 'a login was good, but the store took no note of it');
  }
}
