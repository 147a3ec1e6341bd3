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
 * The first start: the domain, the sample accounts, the administrator; [] at every later one, and for all copies of auth but the one that makes them. The
 * administrator comes last and marks the end: a first start that was cut short is done again.
 */
export async function ensureFirstAccounts(context: AuthContext): Promise<readonly FirstAccount[]> {
  const { domain } = context.config;
  const adminKey = `admin@${domain}`;
  const found = await context.directory.lookup({ keys: [adminKey], domains: [domain] });
  if (found.entries.has(adminKey) || (await context.directory.administrators(1)).length > 0) return [];
  let isOurs = !found.domains.has(domain) && (await addedFirst(context, domain));
  for (;;) {
    if (!isOurs && (await anotherCopyMadeThem(context))) return [];
    const made = await makeAccounts(context);
    if (made !== undefined) return made;
    isOurs = false;
  }
}

type NewFirstAccount = FirstAccount & { displayName: string };

function firstAccounts({ domain, sampleAccounts, adminPassword }: AuthContext['config']): NewFirstAccount[] {
  const made = (name: string, displayName: string): NewFirstAccount => ({
    address: `${name}@${domain}`,
    displayName,
    password: generatedPassword(),
    admin: false,
    given: false,
  });
  const admin = { ...made('admin', 'Administrator'), admin: true };
  const withPassword = adminPassword === undefined ? admin : { ...admin, password: adminPassword, given: true };
  return [...(sampleAccounts ? [made('alice', 'Alice'), made('bob', 'Bob')] : []), withPassword];
}

/**
 * Of copies that do this at the same time the one that makes the first missing account goes on, and gives those that were there new passwords, for nobody has seen
 * theirs. Undefined for the others.
 */
async function makeAccounts(context: AuthContext): Promise<FirstAccount[] | undefined> {
  const all = firstAccounts(context.config);
  const { entries } = await context.directory.lookup({ keys: all.map(({ address }) => address), domains: [] });
  // An alias of that name is somebody's will.
  const wanted = all.filter(({ address }) => entries.get(address)?.kind !== 'alias');
  const [first, ...rest] = wanted.filter(({ address }) => !entries.has(address));
  if (first === undefined) return [];
  try {
    await createAccount(context, first);
    for (const { address, password } of wanted) {
      const entry = entries.get(address);
      if (entry?.kind === 'account') await updateAccount(context, entry.account.id, { password });
    }
    for (const account of rest) await createAccount(context, account);
  } catch (error) {
    if (error instanceof AlreadyExists) return undefined;
    throw error;
  }
  const shown = wanted.map(({ displayName: _, ...account }) => account);
  return shown.toSorted((one, other) => Number(other.admin) - Number(one.admin));
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
