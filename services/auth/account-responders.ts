import type { Subscription } from '../../libs/bus/port.ts';
import type { AccountRefusal, AccountView } from '../../libs/bus/account-requests.ts';
import type { Verified } from '../../libs/bus/requests.ts';
import { AlreadyExists, NotFound, Refused } from '../../libs/store/errors.ts';
import type { Account } from '../../libs/store/ports/directory.ts';
import type { CredentialRow } from '../../libs/store/ports/credentials.ts';
import { createAccount, getAccount, listAccounts, removeAccount, updateAccount } from './accounts.ts';
import { addAppPassword, listAppPasswords, removeAppPassword } from './app-passwords.ts';
import type { AuthContext } from './context.ts';
import { provePassword } from './logins.ts';
import { respond } from './respond.ts';

/** Answers what mailbox asks for the paths of accounts. Who may ask for what is checked there, where the caller is known. */
export function answerAccounts(context: AuthContext): Subscription[] {
  const { bus } = context;
  return [
    respond(bus, 'account.create', (body, signal) =>
      refusing(async () => ({ ok: true, account: accountView(await createAccount(context, body, signal)) })),
    ),
    respond(bus, 'account.get', ({ id }) =>
      refusing(async () => {
        const { account, usage } = await getAccount(context, id);
        return { ok: true, account: accountView(account), usage };
      }),
    ),
    respond(bus, 'account.list', async (page) => {
      const { accounts, next } = await listAccounts(context, page);
      return { accounts: accounts.map(accountView), next };
    }),
    respond(bus, 'account.update', ({ id, patch, proof }, signal) =>
      refusing(async () => {
        if (proof !== undefined) {
          const { account } = await getAccount(context, id);
          const verified = await provePassword(context, account, proof, signal);
          if (!verified.ok) return notProven(verified);
        }
        return { ok: true, account: accountView(await updateAccount(context, id, patch, signal)) };
      }),
    ),
    respond(bus, 'account.remove', ({ id }) => refusing(() => done(removeAccount(context, id)))),
    respond(bus, 'account.purged', ({ id }) =>
      refusing(() => done(context.directoryAdmin.accountPurged(id, context.clock.nowMs()))),
    ),
    respond(bus, 'appPassword.list', ({ accountId }) =>
      refusing(async () => ({ ok: true, items: (await listAppPasswords(context, accountId)).map(appPasswordView) })),
    ),
    respond(bus, 'appPassword.add', ({ accountId, name }) =>
      refusing(async () => {
        const { row, password } = await addAppPassword(context, accountId, name);
        return { ok: true, item: appPasswordView(row), password };
      }),
    ),
    respond(bus, 'appPassword.remove', ({ accountId, id }) =>
      refusing(() => done(removeAppPassword(context, accountId, id))),
    ),
  ];
}

/** What the domain refuses is an answer; all else is an error. */
async function refusing<T extends { ok: true }>(work: () => Promise<T | AccountRefusal>): Promise<T | AccountRefusal> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof NotFound) return { ok: false, code: 'notFound', what: error.what };
    if (error instanceof AlreadyExists) return { ok: false, code: 'alreadyExists', what: error.what };
    if (error instanceof Refused) return { ok: false, code: 'refused', what: error.message, rule: error.rule };
    throw error;
  }
}

async function done(work: Promise<void>): Promise<{ ok: true }> {
  await work;
  return { ok: true };
}

function notProven(verified: Extract<Verified, { ok: false }>): AccountRefusal {
  if (verified.reason === 'invalid') return { ok: false, code: 'wrongPassword', what: 'the current password' };
  const { retryAfterMs } = verified;
  const refusal: AccountRefusal = { ok: false, code: 'limited', what: 'too many wrong passwords' };
  return retryAfterMs === undefined ? refusal : { ...refusal, retryAfterMs };
}

function accountView({ id, address, displayName, enabled, admin, quota, createdAt }: Account): AccountView {
  return { id, address, displayName, enabled, admin, quota, createdAt };
}

function appPasswordView({ id, name, createdAt }: CredentialRow): Pick<CredentialRow, 'id' | 'name' | 'createdAt'> {
  return { id, name, createdAt };
}
