import { nextAttemptAt } from '../../../libs/delivery/schedule.ts';
import type { BatchRow } from '../../../libs/delivery/worker/claim-of.ts';
import type { HealthReport } from '../../../libs/delivery/limits/health.ts';
import type { RecipientOutcome } from '../../../libs/smtp/client/outcome.ts';
import type { SmtpSession } from '../../../libs/smtp/client/session.ts';
import type { Outcome } from '../../../libs/store/ports/deliveries.ts';

export interface Schedule {
  stepsMs: readonly number[];
  /** In [0, 1). */
  random: () => number;
}

/** What the row becomes by what was said of its recipient. */
export function resultOf(
  row: BatchRow,
  said: RecipientOutcome,
  { dsn, at, schedule }: { dsn: boolean; at: number; schedule: Schedule },
): Outcome['result'] {
  const reply = replyText(said);
  if (said.kind === 'delivered') {
    const relayed = !dsn && row.notify !== undefined && row.notify !== 'NEVER' && row.notify.includes('SUCCESS');
    return { kind: 'delivered', reply, ...(relayed && { relayed: true as const }) };
  }
  if (said.kind === 'permanent') return { kind: 'failed', reply, replyClass: 'permanent' };
  const replyClass = said.unknown ? 'unknown' : said.source === 'connection' ? 'network' : 'temporary';
  return deferred(row, reply, replyClass, at, schedule);
}

export function deferred(
  row: BatchRow,
  reply: string,
  replyClass: 'temporary' | 'network' | 'unknown',
  at: number,
  { stepsMs, random }: Schedule,
): Outcome['result'] {
  const nextAt = nextAttemptAt({ stepsMs, attempts: row.attempts + 1, attemptEndedAt: at, random });
  return { kind: 'deferred', reply, replyClass, nextAttemptAt: nextAt };
}

/** One line with code and enhanced code; what this client says has codes of ours. */
function replyText({ kind, code, enhanced, text }: RecipientOutcome): string {
  const ours = kind === 'permanent' ? { code: 554, enhanced: '5.0.0' } : { code: 451, enhanced: '4.4.2' };
  if (code === undefined) return `${ours.code} ${enhanced ?? ours.enhanced} ${text}`;
  return enhanced === undefined || text.startsWith(enhanced) ? `${code} ${text}` : `${code} ${enhanced} ${text}`;
}

/** For the trace: what the connection was encrypted with. */
export function tlsText({ tls }: Pick<SmtpSession, 'tls'>): string | undefined {
  if (!tls.encrypted) return undefined;
  return [tls.protocol, tls.cipher, tls.authorized ? 'verified' : 'unverified'].filter(Boolean).join(' ');
}

/** RFC 5321 §4.5.3.1.10: recipients past the server's limit, to be sent in another transaction at once since some were taken. */
export function isTooMany(said: RecipientOutcome, all: readonly RecipientOutcome[]): boolean {
  const refused = said.kind === 'temporary' && said.stage === 'rcpt' && said.source === 'reply';
  if (!refused || (said.code !== 452 && said.code !== 552)) return false;
  const aboutNumber = said.enhanced === undefined || said.enhanced.endsWith('.5.3');
  return aboutNumber && all.some(({ kind }) => kind === 'delivered');
}

/** The connection had ended before the server was asked, or it ended it by then: nothing was said of the message, so another connection is tried. */
export const isStale = (all: readonly RecipientOutcome[]): boolean =>
  all.every(({ stage, source, code, kind }) => {
    return kind === 'temporary' && stage === 'mail' && (source === 'connection' || code === 421);
  });

/** What a transaction tells of its group: see HealthReport. */
export function healthOf(all: readonly RecipientOutcome[]): keyof HealthReport | undefined {
  if (all.every(({ source }) => source === 'client')) return undefined;
  if (all.some(({ kind, source }) => kind !== 'temporary' && source === 'reply')) return 'ok';
  const ofRecipient = all.some(({ stage, source, code }) => stage === 'rcpt' && source === 'reply' && code !== 421);
  return ofRecipient ? 'ok' : 'failed';
}
