import type { DsnRequest, RecipientReport } from './build-dsn.ts';
import { fold, oneLine, rfc5322Date, typedAddress } from './status-text.ts';

/** The body of message/delivery-status: a group of fields about the message, then one about each recipient (RFC 3464 §2.1). */
export function deliveryStatus(request: DsnRequest, isGlobal: boolean): string {
  const message = [
    `Reporting-MTA: dns; ${oneLine(request.reportingMta, false)}`,
    ...(request.originalEnvelopeId === undefined
      ? []
      : [`Original-Envelope-Id: ${oneLine(request.originalEnvelopeId, isGlobal)}`]),
    `Arrival-Date: ${rfc5322Date(request.arrivedAt)}`,
  ];
  const groups = [message, ...request.recipients.map((recipient) => recipientFields(recipient, isGlobal))];
  return groups.map((group) => `${group.map(fold).join('\r\n')}\r\n`).join('\r\n');
}

function recipientFields(recipient: RecipientReport, isGlobal: boolean): string[] {
  const { originalRecipient, diagnosticCode, remoteMta, lastAttemptAt, willRetryUntil } = recipient;
  const fields =
    originalRecipient === undefined ? [] : [`Original-Recipient: ${originalAddress(originalRecipient, isGlobal)}`];
  fields.push(`Final-Recipient: ${typedAddress(recipient.finalRecipient, isGlobal)}`, `Action: ${recipient.action}`);
  fields.push(`Status: ${statusCode(recipient)}`);
  if (remoteMta !== undefined) fields.push(`Remote-MTA: dns; ${oneLine(remoteMta, false)}`);
  if (diagnosticCode !== undefined) fields.push(`Diagnostic-Code: smtp; ${oneLine(diagnosticCode, isGlobal)}`);
  if (lastAttemptAt !== undefined) fields.push(`Last-Attempt-Date: ${rfc5322Date(lastAttemptAt)}`);
  // RFC 3464 §2.3.9: only of delays
  if (willRetryUntil !== undefined && recipient.action === 'delayed')
    fields.push(`Will-Retry-Until: ${rfc5322Date(willRetryUntil)}`);
  return fields;
}

function originalAddress(original: string, isGlobal: boolean): string {
  const [, type, address] = /^(rfc822|utf-8);(.*)$/is.exec(original) ?? [];
  if (address !== undefined) return typedAddress(address.trim(), isGlobal);
  // Another type of address (RFC 3461 §4.2 allows any) is passed on as it came.
  return type === undefined && original.includes(';') ? oneLine(original, isGlobal) : typedAddress(original, isGlobal);
}

/** RFC 3463 §2; what isn't one becomes the general code of its class. */
function statusCode({ status, action }: RecipientReport): string {
  if (/^[245]\.\d{1,3}\.\d{1,3}$/.test(status)) return status;
  return action === 'failed' ? '5.0.0' : action === 'delayed' ? '4.0.0' : '2.0.0';
}
