import { type DkimAlgorithm, dkimAlgorithms, keyTypes } from '../../../libs/mail/dkim/algorithm.ts';
import { generateKeys, placeOfKey } from '../../../libs/mail/dkim/key-pair.ts';
import { normaliseDomain } from '../../../libs/mail/address/domain.ts';
import { NotFound } from '../../../libs/store/errors.ts';
import type { DkimKey } from '../../../libs/store/ports/dkim-keys.ts';
import type { AuthContext } from '../context.ts';

type Context = Pick<AuthContext, 'dkimKeys' | 'secrets' | 'clock' | 'log'>;

export interface NewKey {
  algorithm: DkimAlgorithm;
  /** Default: by date and algorithm. */
  selector?: string | undefined;
  /** Becomes active by itself once its record is seen; the one it replaces is then kept for so long. */
  awaits?: { keepMs: number } | null;
}

/** Makes a pair of keys; what it answers has no private key. @throws NotFound, AlreadyExists, Refused */
export async function addKey(context: Context, domain: string, wanted: NewKey): Promise<DkimKey> {
  const { algorithm, awaits = null } = wanted;
  const { dkimKeys, secrets } = context;
  // Before the pair is made: that is the dear part.
  const there = await dkimKeys.list(domain);
  const selector = wanted.selector ?? freeSelector(context.clock.nowMs(), algorithm, there);
  const { privateKey, publicKey } = await generateKeys(algorithm);
  const key = { domain, selector, algorithm, publicKey, awaits, createdAt: context.clock.nowMs() };
  await dkimKeys.add({ ...key, privateKey: secrets.seal(privateKey, placeOfKey(domain, selector)) });
  const { log } = context;
  log.info({ domain, selector, algorithm }, 'made a DKIM key');
  if (!secrets.encrypts) log.warn('DKIM keys are kept unencrypted: WAYPOST_SECRETS_KEY is not set');
  return keyOf(context, domain, selector);
}

/**
 * A new key for each algorithm that signs now (both where none does). `now`: they sign at once; else as soon as the DNS has their records. What they replace is kept
 * for `keepMs`. New keys that wait already are what a repeated rotation answers.
 */
export async function rotateKeys(
  context: Context,
  domain: string,
  { now, keepMs }: { now: boolean; keepMs: number },
): Promise<readonly DkimKey[]> {
  const there = await context.dkimKeys.list(domain);
  const active = dkimAlgorithms.filter((algorithm) =>
    there.some((key) => key.state === 'active' && key.algorithm === algorithm),
  );
  const made: DkimKey[] = [];
  for (const algorithm of active.length === 0 ? dkimAlgorithms : active) {
    const waiting = there.find((key) => key.algorithm === algorithm && key.awaits !== null);
    const key = waiting ?? (await addKey(context, domain, { algorithm, awaits: { keepMs } }));
    made.push(now ? await activateKey(context, key, keepMs) : key);
  }
  return made;
}

/** It signs from now on; the other active key of its algorithm is retired and kept for `keepMs`. */
export async function activateKey(
  context: Context,
  { domain, selector }: Pick<DkimKey, 'domain' | 'selector'>,
  keepMs: number,
): Promise<DkimKey> {
  await setState(context, { domain, selector, state: 'active' }, keepMs);
  return keyOf(context, domain, selector);
}

/** It signs no longer, and is removed after `keepMs`. */
export async function retireKey(
  context: Context,
  { domain, selector }: Pick<DkimKey, 'domain' | 'selector'>,
  keepMs: number,
): Promise<DkimKey> {
  await setState(context, { domain, selector, state: 'retired' }, keepMs);
  return keyOf(context, domain, selector);
}

export async function removeKey(
  { dkimKeys, log }: Context,
  { domain, selector }: Pick<DkimKey, 'domain' | 'selector'>,
): Promise<void> {
  await dkimKeys.remove(domain, selector);
  log.info({ domain, selector }, 'removed a DKIM key: its DNS record can go too');
}

/** @throws NotFound */
export async function keyOf({ dkimKeys }: Context, domain: string, selector: string): Promise<DkimKey> {
  const found = (await dkimKeys.list(domain)).find((key) => key.selector === selector);
  if (found === undefined) throw new NotFound('DKIM key');
  return found;
}

/** The key of a domain of ours, from how somebody wrote it. @throws NotFound */
export async function ownDomain({ directory }: Pick<AuthContext, 'directory'>, name: string): Promise<string> {
  const key = normaliseDomain(name);
  if (key === undefined) throw new NotFound('domain');
  const { domains } = await directory.lookup({ keys: [], domains: [key] });
  if (!domains.has(key)) throw new NotFound('domain');
  return key;
}

async function setState(
  { dkimKeys, clock, log }: Context,
  change: Pick<DkimKey, 'domain' | 'selector'> & { state: 'active' | 'retired' },
  keepMs: number,
): Promise<void> {
  const at = clock.nowMs();
  await dkimKeys.setState({ ...change, at, removeAt: at + keepMs });
  log.info(change, 'changed a DKIM key');
}

/** `wp-20261123-rsa`, then `…-2`: by day and algorithm, so that a record in the DNS says what it is. */
function freeSelector(nowMs: number, algorithm: DkimAlgorithm, there: readonly DkimKey[]): string {
  const day = new Date(nowMs).toISOString().slice(0, 10).replaceAll('-', '');
  const base = `wp-${day}-${keyTypes[algorithm]}`;
  const taken = new Set(there.map(({ selector }) => selector));
  let selector = base;
  for (let n = 2; taken.has(selector); n += 1) selector = `${base}-${n}`;
  return selector;
}
