import type { Resolution } from '../bus/requests.ts';
import { localDestination } from '../delivery/partition.ts';
import { noticeTime } from '../delivery/owed.ts';
import type { Notify, Target } from '../delivery/row.ts';
import type { MailSchedule, Scheduled } from '../delivery/schedules.ts';
import type { Ranks } from './ranks.ts';

/** RFC 5321 §4.5.3.1.8 asks for at least 100; past this a sender is asked to use another transaction. */
export const maxRecipients = 1000;
/** Targets of one message after aliases are expanded. */
export const maxTargets = 1000;

/** A recipient that was found to be deliverable. */
export interface ResolvedRecipient {
  /** As the client gave it, without angle brackets. */
  recipient: string;
  resolution: Extract<Resolution, { kind: 'local' | 'remote' }>;
  notify?: Notify;
  originalRecipient?: string;
}

export interface TargetsRequest {
  recipients: readonly ResolvedRecipient[];
  /** The sender's own copy, for its sent mailbox. */
  sentCopy?: { accountId: string; address: string };
  /** RFC 5321 reverse-path without brackets. */
  sender: string;
  /** MAIL FROM of what aliases forward elsewhere, where it isn't `sender`. */
  forwardedFrom?: string;
  sizeBytes: number;
  priority: number;
  nowMs: number;
  /** No attempt before this (a send that was put off); default now. */
  dueAt?: number;
  /** See libs/delivery/schedules.ts. */
  scheduleOf: (mail: Scheduled) => Pick<MailSchedule, 'delayNoticeAfterMs' | 'expireAfterMs'>;
}

/**
 * The frozen targets of a message: one for each local account or remote address, whichever aliases named it (the first RCPT that did gives its form and its
 * notification wishes), and the sender's own copy last.
 */
export function buildTargets(request: TargetsRequest, ranks: Ranks): Target[] {
  const targets: Target[] = [];
  const seen = new Set<string>();
  for (const recipient of request.recipients) {
    const { resolution } = recipient;
    if (resolution.kind === 'remote') {
      addOnce(remoteKey(recipient.recipient, resolution.domain), () =>
        target(request, ranks, targets.length, { kind: 'remote', destination: resolution.domain, recipient }),
      );
      continue;
    }
    for (const { accountId } of resolution.targets) {
      addOnce(accountId, () => ({
        ...target(request, ranks, targets.length, {
          kind: 'inbox',
          destination: localDestination(accountId),
          recipient,
        }),
        accountId,
      }));
    }
    for (const { address, domain } of resolution.outside ?? [])
      addOnce(remoteKey(address, domain), () => forwarded(request, ranks, targets.length, recipient, address, domain));
  }
  if (request.sentCopy) {
    const { accountId, address } = request.sentCopy;
    const recipient = { recipient: address };
    targets.push({
      ...target(request, ranks, targets.length, { kind: 'sent', destination: localDestination(accountId), recipient }),
      accountId,
    });
  }
  return targets;

  function addOnce(key: string, make: () => Target): void {
    if (seen.has(key)) return;
    seen.add(key);
    targets.push(make());
  }
}

/** Another server's local parts may differ by case alone (RFC 5321 §2.4); domains never do. */
const remoteKey = (address: string, domain: string): string =>
  `${address.slice(0, address.lastIndexOf('@'))}@${domain}`;

/** What each recipient leads to, in the form that two are compared by. */
export function targetKeys({ recipient, resolution }: ResolvedRecipient): string[] {
  if (resolution.kind === 'remote') return [remoteKey(recipient, resolution.domain)];
  const outside = resolution.outside ?? [];
  return [
    ...resolution.targets.map(({ accountId }) => accountId),
    ...outside.map(({ address, domain }) => remoteKey(address, domain)),
  ];
}

function forwarded(
  request: TargetsRequest,
  ranks: Ranks,
  n: number,
  alias: ResolvedRecipient,
  address: string,
  destination: string,
): Target {
  const { notify } = alias;
  const recipient = {
    recipient: address,
    // RFC 3461 §5.2.1: what the sender wrote is what a report should name.
    originalRecipient: alias.originalRecipient ?? originalOf(alias.recipient),
    ...(notify && { notify }),
  };
  const { forwardedFrom } = request;
  return {
    ...target(request, ranks, n, { kind: 'remote', destination, recipient }),
    ...(forwardedFrom !== undefined && { reversePath: forwardedFrom }),
  };
}

/** RFC 3461 §4.2, RFC 6533 §3. */
const originalOf = (address: string): string => `${/^[ -~]*$/.test(address) ? 'rfc822' : 'utf-8'};${address}`;

type Addressee = Pick<ResolvedRecipient, 'recipient' | 'notify' | 'originalRecipient'>;

function target(
  request: TargetsRequest,
  ranks: Ranks,
  n: number,
  { kind, destination, recipient }: { kind: Target['kind']; destination: string; recipient: Addressee },
): Target {
  const { sender } = request;
  const { delayNoticeAfterMs, expireAfterMs } = request.scheduleOf({ destination, sender });
  const dueAt = request.dueAt ?? request.nowMs;
  const expiresAt = dueAt + expireAfterMs;
  const noticeAt = noticeTime({ sender, kind, notify: recipient.notify, dueAt, expiresAt }, delayNoticeAfterMs);
  return {
    n,
    kind,
    recipient: recipient.recipient,
    destination,
    priority: request.priority,
    rank: ranks.next(request.sender, destination, request.sizeBytes, request.nowMs),
    dueAt,
    expiresAt,
    ...(noticeAt !== undefined && { noticeAt }),
    ...(recipient.notify && { notify: recipient.notify }),
    ...(recipient.originalRecipient !== undefined && { originalRecipient: recipient.originalRecipient }),
  };
}
