import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

/**
 * Keeps secrets that must be read again (private keys) unreadable at rest: AES-256-GCM under keys from the environment. Without a key they are kept as they are, which
 * the text says (`plain:`), so that a key given later seals what comes then and reads what was there. `place` is where the secret is kept: what is sealed for one place
 * can't be opened at another.
 */
export interface SecretBox {
  /** False: what is sealed can be read by all who can read the store. */
  readonly encrypts: boolean;
  seal(secret: string, place: string): string;
  /** @throws UnreadableSecret */
  open(sealed: string, place: string): string;
}

/** `encodedKeys`: 32 octets each, in base64. The first one seals; all of them open, so that a key can be replaced. */
export function createSecretBox(encodedKeys: readonly string[] = []): SecretBox {
  const keys = encodedKeys.map((key) => Buffer.from(key, 'base64'));
  const [sealing] = keys;
  const byId = new Map(keys.map((key) => [idOf(key), key]));
  return {
    encrypts: sealing !== undefined,
    seal: (secret, place) => (sealing === undefined ? `${plain}${secret}` : encrypt(sealing, secret, place)),
    open(sealed, place) {
      if (sealed.startsWith(plain)) return sealed.slice(plain.length);
      const [form, id = '', nonce = '', text = '', tag = ''] = sealed.split(':');
      if (form !== encrypted) throw new UnreadableSecret(place, 'it has a form that this release does not know');
      const key = byId.get(id);
      if (key === undefined) throw new UnreadableSecret(place, `it was sealed with another key (${id})`);
      return decrypt(key, { nonce, text, tag }, place);
    },
  };
}

/** The key is missing or another, or what was kept has been changed. */
export class UnreadableSecret extends Error {
  override readonly name = 'UnreadableSecret';
  readonly place: string;
  constructor(place: string, why: string) {
    super(
      `the secret at ${place} can't be opened: ${why}; WAYPOST_SECRETS_KEY must hold the key that it was sealed with`,
    );
    this.place = place;
  }
}

const plain = 'plain:';
const encrypted = 'aes256gcm';
const cipher = 'aes-256-gcm';

/** Names a key without telling anything of it. */
const idOf = (key: Buffer): string => createHash('sha256').update(key).digest('hex').slice(0, 8);

function encrypt(key: Buffer, secret: string, place: string): string {
  // Random: with 96 bits and a few thousand secrets none is used twice (NIST SP 800-38D §8.3).
  const nonce = randomBytes(12);
  const sealing = createCipheriv(cipher, key, nonce).setAAD(Buffer.from(place));
  const text = Buffer.concat([sealing.update(secret, 'utf8'), sealing.final()]);
  return [encrypted, idOf(key), ...[nonce, text, sealing.getAuthTag()].map((part) => part.toString('base64'))].join(
    ':',
  );
}

function decrypt(key: Buffer, sealed: { nonce: string; text: string; tag: string }, place: string): string {
  const opening = createDecipheriv(cipher, key, Buffer.from(sealed.nonce, 'base64'), { authTagLength: 16 });
  try {
    opening.setAAD(Buffer.from(place)).setAuthTag(Buffer.from(sealed.tag, 'base64'));
    return Buffer.concat([opening.update(sealed.text, 'base64'), opening.final()]).toString('utf8');
  } catch {
    // What node:crypto says of it names neither.
    throw new UnreadableSecret(place, 'it was changed, or sealed for another place');
  }
}
