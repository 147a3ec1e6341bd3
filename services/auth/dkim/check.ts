import type { Dns } from '../../../libs/dns/port.ts';
import { isAbsent } from '../../../libs/dns/port.ts';
import { dkimRecord, fitOfRecords, type RecordFit } from '../../../libs/mail/dkim/dns-record.ts';
import type { DkimKey } from '../../../libs/store/ports/dkim-keys.ts';

export interface RecordCheck {
  /** `missing`: there is no such record; `unknown`: the DNS gave no answer (`detail` has why), or there is nobody to ask. */
  result: RecordFit | 'missing' | 'unknown';
  detail: string | null;
  /** TXT records at the key's name. */
  found: readonly string[];
}

/** Looks a key's record up in the DNS. `dns` may still hold an older answer, for its TTL. */
export async function checkRecord(
  dns: Pick<Dns, 'txt'> | undefined,
  key: DkimKey,
  signal: AbortSignal,
): Promise<RecordCheck> {
  if (dns === undefined) return { result: 'unknown', detail: 'there is no resolver', found: [] };
  const answer = await dns.txt(dkimRecord(key).name, { signal });
  if (answer.kind === 'found') {
    return { result: fitOfRecords(key, answer.records), detail: null, found: answer.records.slice(0, maxShown) };
  }
  return { result: isAbsent(answer) ? 'missing' : 'unknown', detail: answer.detail, found: [] };
}

const maxShown = 10;
