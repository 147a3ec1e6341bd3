import type { DeliveryRow } from '../../../libs/delivery/row.ts';
import type { RecipientReport } from '../../../libs/mail/report/build-dsn.ts';
import { enhancedStatus } from '../../../libs/mail/report/enhanced-status.ts';
import type { AttemptRow } from '../../../libs/store/ports/deliveries.ts';

export type ReportKind = 'failure' | 'delay' | 'success';

/** A row whose sender is told, with the trace of its attempts. */
export interface ToldRow {
  row: DeliveryRow;
  attempts: readonly AttemptRow[];
}

/** What a report of this kind says of a row. */
export function recipientReport(kind: ReportKind, { row, attempts }: ToldRow): RecipientReport {
  const { recipient, originalRecipient } = row;
  const last = attempts.findLast(({ event }) => outcomes.has(event));
  const hasAnswered = row.lastReplyClass !== 'network' && row.lastReplyClass !== 'unknown';
  return {
    finalRecipient: recipient,
    ...(originalRecipient !== undefined && { originalRecipient }),
    ...outcomeOf(kind, row),
    // RFC 3464 §2.3.5: the server that said it. What we say of a server that said nothing is ours.
    ...(last?.host !== undefined && hasAnswered && { remoteMta: last.host }),
    ...(last !== undefined && { lastAttemptAt: last.at }),
  };
}

/** Events of the trace that are ends of attempts. */
const outcomes: ReadonlySet<string> = new Set(['delivered', 'deferred', 'failed']);

type OutcomePart = Pick<RecipientReport, 'action' | 'status' | 'diagnosticCode' | 'willRetryUntil'>;

function outcomeOf(kind: ReportKind, { kind: target, lastReply, lastReplyClass, expiresAt }: DeliveryRow): OutcomePart {
  const said = lastReply === undefined ? {} : { diagnosticCode: lastReply };
  if (kind === 'success')
    return {
      action: target === 'remote' ? 'relayed' : 'delivered',
      status: enhancedStatus(lastReply, '2') ?? '2.0.0',
      ...said,
    };
  if (kind === 'delay')
    return { action: 'delayed', status: enhancedStatus(lastReply, '4') ?? '4.0.0', ...said, willRetryUntil: expiresAt };
  return {
    action: 'failed',
    // RFC 3464 §2.3.4: a class 4 status here is a persistent transient failure, given up when the time was over.
    status: enhancedStatus(lastReply, '45') ?? (lastReplyClass === 'permanent' ? '5.0.0' : '4.4.7'),
    diagnosticCode: lastReply ?? '451 4.4.7 the time for its delivery is over',
  };
}
