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
  if (!found.domains.has(domain)) await ignoreExisting(addDomain(context, domain));

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

/** Two processes of a cluster may make their first start at the same time. */
async function ignoreExisting(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof AlreadyExists)) throw error;
  }
}
