import { AlreadyExists } from '../../libs/store/errors.ts';
import { createAccount, updateAccount } from './accounts.ts';
import type { AuthContext } from './context.ts';
import { addDomain } from './domains.ts';
import { generatedPassword } from './passwords.ts';

/** An account made at the first start; `password` is shown once, `given` says that it came from the configuration (and is not shown). */
export interface FirstAccount {
  address: string;
  password: string;
  admin: boolean;
  given: boolean;
}

/**
 * The first start: the domain, the sample accounts, the administrator; [] at every later one. The administrator comes last and marks the end: a first
 * start that was cut short is done again, and samples that it has made get new passwords, for nobody has seen theirs.
 */
export async function ensureFirstAccounts(context: AuthContext): Promise<readonly FirstAccount[]> {
  const { domain, sampleAccounts, adminPassword } = context.config;
  const adminKey = `admin@${domain}`;
  const found = await context.directory.lookup({ keys: [adminKey], domains: [domain] });
  if (found.entries.has(adminKey) || (await context.directory.administrators(1)).length > 0) return [];
  const isOurs = !found.domains.has(domain) && (await addedFirst(context, domain));
  if (!isOurs && (await anotherCopyMadeThem(context))) return [];

  const made: FirstAccount[] = [];
  for (const [name, displayName] of sampleAccounts ? samples : []) {
    const address = `${name}@${domain}`;
    const password = generatedPassword();
    await makeOrReset(context, { address, displayName, password });
    made.push({ address, password, admin: false, given: false });
  }
  const password = adminPassword ?? generatedPassword();
  await createAccount(context, { address: adminKey, displayName: 'Administrator', password, admin: true });
  return [{ address: adminKey, password, admin: true, given: adminPassword !== undefined }, ...made];
}

const samples = [
  ['alice', 'Alice'],
  ['bob', 'Bob'],
] as const;

async function makeOrReset(
  context: AuthContext,
  account: { address: string; displayName: string; password: string },
): Promise<void> {
  const entry = (await context.directory.lookup({ keys: [account.address], domains: [] })).entries.get(account.address);
  if (entry?.kind === 'account') await updateAccount(context, entry.account.id, { password: account.password });
  else await createAccount(context, account);
}

/** Of several copies that start at the same time one adds the domain, and the accounts are for that one to make. */
async function addedFirst(context: AuthContext, domain: string): Promise<boolean> {
  try {
    await addDomain(context, domain);
    return true;
  } catch (error) {
    if (error instanceof AlreadyExists) return false;
    throw error;
  }
}

/** False: whoever added the domain has not come to the end within the time that it takes, so this copy does it. */
async function anotherCopyMadeThem({ directory, clock }: AuthContext): Promise<boolean> {
  const giveUpAtMs = clock.monotonicMs() + waitForOtherMs;
  while (clock.monotonicMs() < giveUpAtMs) {
    if ((await directory.administrators(1)).length > 0) return true;
    await clock.sleep(pollMs, new AbortController().signal);
  }
  return false;
}

const waitForOtherMs = 5_000;
const pollMs = 200;
