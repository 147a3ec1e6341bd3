import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { RelaxedBodyHash } from '../../libs/mail/dkim/relaxed-body.ts';

/** TXT records by name, as a name server would give them. */
export type TxtRecords = Readonly<Record<string, readonly string[]>>;

/** Every signature of a message as mailauth sees it: `pass`, or what is wrong. */
export async function mailauthResults(message: Buffer, records: TxtRecords, curTime?: Date): Promise<string[]> {
  const { results } = await dkimVerify(message, {
    resolver: async (name: string, type: string) => {
      const found = type === 'TXT' ? records[name] : undefined;
      if (found !== undefined) return found.map((record) => [record]);
      throw Object.assign(new Error(`${name} ${type}`), { code: 'ENOTFOUND' });
    },
    ...(curTime === undefined ? {} : { curTime }),
  });
  return results.map(({ status, signingDomain, selector }) =>
    `${signingDomain}/${selector} ${status.result}${status.comment ? ` ${status.comment}` : ''}`.trim(),
  );
}

/**
 * RFC 6376 §6.1.3 for relaxed/relaxed, written from the RFC with regular expressions, for comparison: whether each signature of a message holds. `keys` by selector.
 */
export function verifySignatures(message: Buffer, keys: Readonly<Record<string, KeyObject>>): boolean[] {
  const [header = '', ...rest] = message.toString('latin1').split('\r\n\r\n');
  const fields = `${header}\r\n`.match(/^[^ \t][^]*?\r\n(?![ \t])/gm) ?? [];
  const bodyHash = hash('sha256', Buffer.from(plainRelaxedBody(rest.join('\r\n\r\n')), 'latin1'), 'base64');
  return fields
    .filter((field) => /^dkim-signature:/i.test(field))
    .map((own) => {
      const tags = new Map(
        own
          .slice('dkim-signature:'.length)
          .replaceAll(/\s/g, '')
          .split(';')
          .map((tag) => [tag.slice(0, tag.indexOf('=')), tag.slice(tag.indexOf('=') + 1)]),
      );
      const left = fields.map((field) => ({ field, name: field.slice(0, field.indexOf(':')).trim().toLowerCase() }));
      const signed = (tags.get('h') ?? '').split(':').flatMap((name) => {
        const at = left.findLastIndex((one) => one.name === name.toLowerCase());
        return at === -1 ? [] : left.splice(at, 1).map(({ field }) => plainRelaxedField(field));
      });
      const unsigned = plainRelaxedField(own.replace(/([;\s]b=)[^;]*/s, '$1')).replace(/\r\n$/, '');
      const data = Buffer.from(`${signed.join('')}${unsigned}`, 'latin1');
      const key = keys[tags.get('s') ?? ''];
      const signature = Buffer.from(tags.get('b') ?? '', 'base64');
      const isRsa = tags.get('a') === 'rsa-sha256';
      return (
        key !== undefined &&
        tags.get('bh') === bodyHash &&
        (isRsa ? verify('sha256', data, key, signature) : verify(null, hash('sha256', data, 'buffer'), key, signature))
      );
    });
}

function plainRelaxedField(field: string): string {
  const colon = field.indexOf(':');
  const value = field.slice(colon + 1).replaceAll('\r\n', '');
  const name = field.slice(0, colon).replace(/[ \t]+$/, '');
  return `${name.toLowerCase()}:${value.replaceAll(/[ \t]+/g, ' ').replaceAll(/^ | $/g, '')}\r\n`;
}

/** RFC 6376 §3.4.4, line by line. */
export function plainRelaxedBody(body: string): string {
  const lines = body.split('\r\n').map((line) => line.replaceAll(/[ \t]+/g, ' ').replace(/ $/, ''));
  while (lines.at(-1) === '') lines.pop();
  return lines.map((line) => `${line}\r\n`).join('');
}

/** An Ed25519 key from the 32 octets of its DNS record. */
export function ed25519Key(text: string): KeyObject {
  const prefix = Buffer.from('302a300506032b6570032100', 'hex');
  return createPublicKey({ key: Buffer.concat([prefix, Buffer.from(text, 'base64')]), format: 'der', type: 'spki' });
}

export function bodyHashOf(body: Buffer, pieces: readonly number[] = []): string {
  const relaxed = new RelaxedBodyHash();
  let at = 0;
  for (const length of pieces) {
    relaxed.update(body.subarray(at, at + length));
    at += length;
  }
  return relaxed.update(body.subarray(at)).digest();
}
