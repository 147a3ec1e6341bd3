import type { DsnRequest, RecipientReport } from './build-dsn.ts';
import { oneLine, rfc5322Date } from './status-text.ts';
import type { Templates, ToldRecipient } from './templates/template.ts';

/** In the order in which they are told; the first one that is there gives the subject. */
const actions = ['failed', 'delayed', 'delivered', 'relayed', 'expanded'] as const;

/** The part of a report for people, and its subject: English, or what the templates make of it. */
export function reportText(
  { recipients, reportingMta, arrivedAt }: DsnRequest,
  templates: Templates,
  attached: 'message' | 'header',
): { subject: string; text: string } {
  const frame = { server: oneLine(reportingMta, false), arrived: rfc5322Date(arrivedAt), attached };
  const sections = actions.flatMap((action) => {
    const concerned = recipients.filter((recipient) => recipient.action === action);
    return concerned.length === 0 ? [] : [templates[action](concerned.map(told))];
  });
  const paragraphs = [
    templates.opening(frame),
    ...sections.flatMap((section) => section.paragraphs),
    templates.closing(frame),
  ];
  return {
    subject: sections[0]?.subject ?? 'About your message',
    text: paragraphs.map((lines) => `${lines.join('\r\n')}\r\n`).join('\r\n'),
  };
}

/** What others have written becomes one line each: it can't pass for words of ours. */
function told({ finalRecipient, diagnosticCode, remoteMta, willRetryUntil }: RecipientReport): ToldRecipient {
  return {
    address: oneLine(finalRecipient, true),
    ...(diagnosticCode !== undefined && { reply: oneLine(diagnosticCode, true) }),
    ...(remoteMta !== undefined && { by: oneLine(remoteMta, false) }),
    ...(willRetryUntil !== undefined && { until: rfc5322Date(willRetryUntil) }),
  };
}
