import type { DkimPrivateKey } from './signature-field.ts';
import type { MessageDigest } from './digest-message.ts';

/** Whether the message has a signature with this key over this very body already: it was here before, and isn't signed twice. */
export function isSignedBy({ domain, selector }: DkimPrivateKey, { fields, bodyHash }: MessageDigest): boolean {
  return fields.some(({ key, text }) => {
    if (key !== 'dkim-signature') return false;
    const tags = tagsOf(text.slice(text.indexOf(':') + 1));
    return (
      tags.get('d')?.toLowerCase() === domain &&
      tags.get('s')?.toLowerCase() === selector &&
      tags.get('bh') === bodyHash
    );
  });
}

/** Tags of a list (RFC 6376 §3.2), values without any white space. */
export function tagsOf(list: string): ReadonlyMap<string, string> {
  const tags = list
    .replaceAll(/[\s]+/g, '')
    .split(';')
    .map((tag) => /^([^=]*)=(.*)$/s.exec(tag))
    .filter((found) => found !== null);
  return new Map(tags.map(([, name = '', value = '']) => [name, value]));
}
