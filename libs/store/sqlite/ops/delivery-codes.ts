import type { Owed } from '../../../delivery/owed.ts';
import type { ReplyClass, TargetKind, Wanted } from '../../../delivery/row.ts';
import type { DeliveryState } from '../../../delivery/state.ts';

/** Codes of the small words that each row carries. They are on disk: never changed, only added to. */
export const stateCodes: Readonly<Record<DeliveryState, number>> = {
  queued: 0,
  leased: 1,
  deferred: 2,
  held: 3,
  failed: 4,
  reporting: 5,
  delivered: 6,
  bounced: 7,
  cancelled: 8,
};
export const kindCodes: Readonly<Record<TargetKind, number>> = { inbox: 0, sent: 1, remote: 2 };
export const wantedCodes: Readonly<Record<Wanted, number>> = {
  cancel: 0,
  hold: 1,
  bounce: 2,
  reroute: 3,
  recipient: 4,
};
export const owedCodes: Readonly<Record<Owed, number>> = { delay: 0, success: 1 };
/** Past 0: something went wrong (the index deliveries_error). */
export const replyClassCodes: Readonly<Record<ReplyClass, number>> = {
  ok: 0,
  temporary: 1,
  permanent: 2,
  network: 3,
  unknown: 4,
};

export const stateOf = decoder(stateCodes, 'state');
export const kindOf = decoder(kindCodes, 'kind');
export const owedOf = decoder(owedCodes, 'owed notice');
export const wantedOf = decoder(wantedCodes, 'wanted');
export const replyClassOf = decoder(replyClassCodes, 'reply class');

/** Targets of one message have n below this: `deliveries.id = seq * targetsPerMessage + n`. */
export const targetsPerMessage = 4096;
/** `deliveries.id >> bucketShift`: 256 messages share a bucket of the search indexes. */
export const bucketShift = 20;

/** `<messageId>/<n>` taken apart; undefined for any other text. */
export function parseDeliveryId(id: string): { messageId: string; n: number } | undefined {
  const slash = id.lastIndexOf('/');
  const digits = id.slice(slash + 1);
  if (slash <= 0 || !/^(0|[1-9]\d{0,3})$/.test(digits)) return undefined;
  const n = Number(digits);
  return n < targetsPerMessage ? { messageId: id.slice(0, slash), n } : undefined;
}

function decoder<Word extends string>(codes: Readonly<Record<Word, number>>, what: string): (code: number) => Word {
  const words: Word[] = [];
  for (const word in codes) words[codes[word]] = word;
  return (code) => {
    const word = words[code];
    if (word === undefined) throw new Error(`no ${what} has the code ${code}: the row was made by a later release`);
    return word;
  };
}
