import type { RawField } from './header-fields.ts';

/**
 * Fields that are signed (RFC 6376 §5.4.1) and, after them, those that are signed once more than they are there, so that nobody can add one that is shown in place of ours
 * (§8.15). Lists and relays rightly add Sender, Resent- and List- fields, so these aren't.
 */
const oversigned = [
  'From',
  'To',
  'Cc',
  'Subject',
  'Date',
  'Message-ID',
  'Reply-To',
  'In-Reply-To',
  'References',
  'MIME-Version',
  'Content-Type',
  'Content-Transfer-Encoding',
] as const;

const signedWhenThere = [
  'Sender',
  'Resent-From',
  'Resent-Sender',
  'Resent-To',
  'Resent-Cc',
  'Resent-Date',
  'Resent-Message-ID',
  'List-Id',
  'List-Help',
  'List-Unsubscribe',
  'List-Unsubscribe-Post',
  'List-Subscribe',
  'List-Post',
  'List-Owner',
  'List-Archive',
  'Auto-Submitted',
  'Feedback-ID',
] as const;

/** Past it a header is no mail any more, and each would lengthen `h=`. */
const maxSignedFields = 200;

export interface SignedFields {
  /** For `h=`. */
  names: readonly string[];
  /** What is hashed, in the order of `names`. */
  fields: readonly RawField[];
}

/** RFC 6376 §5.4.2: of several with a name the last is signed first; a name without a field left says that there is none. Undefined: too many. */
export function signedFields(fields: readonly RawField[]): SignedFields | undefined {
  const byKey = Map.groupBy(fields.toReversed(), ({ key }) => key);
  const names: string[] = [];
  const signed: RawField[] = [];
  const take = (name: string, more: number): void => {
    const there = byKey.get(name.toLowerCase()) ?? [];
    signed.push(...there);
    if (signed.length <= maxSignedFields) for (let n = there.length + more; n > 0; n -= 1) names.push(name);
  };
  for (const name of oversigned) take(name, 1);
  for (const name of signedWhenThere) take(name, 0);
  return signed.length > maxSignedFields ? undefined : { names, fields: signed };
}
