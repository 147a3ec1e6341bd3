import { createPrivateKey } from 'node:crypto';
import { BoundedCache } from '../../runtime/bounded-cache.ts';
import type { Clock } from '../../runtime/clock.ts';
import { type SecretBox, UnreadableSecret } from '../../runtime/secret-box.ts';
import type { DkimKeys, SigningKey } from '../../store/ports/dkim-keys.ts';
import { authorDomain, domainOf, type NoAuthor } from './author-domain.ts';
import { digestMessage, type MessageBytes } from './digest-message.ts';
import { isSignedBy } from './earlier-signature.ts';
import { type DkimPrivateKey, signatureField } from './signature-field.ts';
import { signedFields } from './signed-fields.ts';
import { placeOfKey } from './key-pair.ts';

/** Signs messages with the active keys of our domains (RFC 6376, RFC 8463). */
export interface Signer {
  /**
   * The signature fields of a message, to be sent right before it: `header`, then the same bytes that were given here (after any conversion, before dot-stuffing). A domain
   * with an RSA and an Ed25519 key signs with both. A message in pieces is read to its end.
   *
   * Signs as the domain of the From field where it has active keys, so that it aligns for DMARC, else as that of the reverse-path, else not at all.
   * @throws UnreadableSecret where a key can't be opened; StoreUnavailable and the like: send later, and not unsigned
   */
  sign(message: MessageBytes, context: SigningContext): Promise<Signed>;
  /** Domains whose keys are in mind; for a gauge. */
  readonly size: number;
}

export interface SigningContext {
  /** RFC 5321, '' for the null one. */
  reversePath: string;
  /**
   * The message is from a user or a network that we trust, or by ourselves. What strangers wrote (forwarded mail) is never signed: From may name a domain of ours, and a
   * signature would say that it is true.
   */
  isOurs: boolean;
  signal?: AbortSignal;
}

export type Signed = { header: Buffer; domain: string } | { unsigned: Unsigned };

/**
 * Why a message was not signed: `foreign`: not ours; `noKey`: neither domain has an active key; `alreadySigned`: with these keys, over this body;
 * `malformedHeader`, `tooManyFields`: a header that verifiers may read in different ways.
 */
export type Unsigned = NoAuthor | 'foreign' | 'noKey' | 'alreadySigned' | 'malformedHeader' | 'tooManyFields';

export interface SignerOptions {
  dkimKeys: Pick<DkimKeys, 'active'>;
  secrets: SecretBox;
  clock: Clock;
  /** How long a signature is good for; default: for ever. Mail waits 5 days at most, and longer with some that receive it. */
  expiresAfterMs?: number;
}

export function createSigner({ dkimKeys, secrets, clock, expiresAfterMs }: SignerOptions): Signer {
  const cache = new BoundedCache<string, readonly DkimPrivateKey[]>({ cap: maxDomains, ttlMs: keysForMs, clock });
  const asked = new Map<string, Promise<readonly DkimPrivateKey[]>>();

  const load = async (domain: string): Promise<readonly DkimPrivateKey[]> => {
    const keys = (await dkimKeys.active([domain])).map((key) => parseKey(key, secrets));
    cache.set(domain, keys);
    return keys;
  };
  /** Many messages of a domain at once ask once. */
  const keysOf = (domain: string): Promise<readonly DkimPrivateKey[]> => {
    const known = cache.get(domain);
    if (known !== undefined) return Promise.resolve(known);
    const asking = asked.get(domain) ?? load(domain).finally(() => asked.delete(domain));
    asked.set(domain, asking);
    return asking;
  };
  const keysFor = async (author: string, sender: string | undefined): Promise<readonly DkimPrivateKey[]> => {
    const keys = await keysOf(author);
    return keys.length > 0 || sender === undefined || sender === author ? keys : keysOf(sender);
  };

  return {
    get size() {
      return cache.size;
    },
    async sign(message, { reversePath, isOurs, signal }) {
      if (!isOurs) return { unsigned: 'foreign' };
      const digest = await digestMessage(message, signal);
      if ('unsigned' in digest) return digest;
      const author = authorDomain(digest.fields);
      if ('unsigned' in author) return author;
      const keys = await keysFor(author.domain, domainOf(reversePath));
      const [first] = keys;
      if (first === undefined) return { unsigned: 'noKey' };
      const wanted = keys.filter((key) => !isSignedBy(key, digest));
      if (wanted.length === 0) return { unsigned: 'alreadySigned' };
      const signed = signedFields(digest.fields);
      if (signed === undefined) return { unsigned: 'tooManyFields' };
      const signedAt = clock.nowMs();
      const times = { signedAt, expiresAt: expiresAfterMs === undefined ? undefined : signedAt + expiresAfterMs };
      const made = await Promise.all(wanted.map((key) => signatureField(key, signed, digest.bodyHash, times)));
      return { header: Buffer.from(made.join(''), 'latin1'), domain: first.domain };
    },
  };
}

/** A few kilobytes each; domains without keys, which are many more than ours, cost less. */
const maxDomains = 10_000;
/** How long a retired key may go on signing, and a new one wait. Only age ends it: signing needs no event. */
const keysForMs = 60_000;

function parseKey({ domain, selector, algorithm, privateKey }: SigningKey, secrets: SecretBox): DkimPrivateKey {
  const place = placeOfKey(domain, selector);
  const pem = secrets.open(privateKey, place);
  try {
    return { domain, selector, algorithm, key: createPrivateKey(pem) };
  } catch {
    // The error of node:crypto may show what it was given.
    throw new UnreadableSecret(place, 'it is no private key');
  }
}
