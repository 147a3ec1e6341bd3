import type { Resolution } from '../bus/requests.ts';
import { localDestination } from '../delivery/partition.ts';
import type { Notify, Target } from '../delivery/row.ts';
import type { Ranks } from './ranks.ts';

/** RFC 5321 §4.5.3.1.8 asks for at least 100; past this a sender is asked to use another transaction. */
export const maxRecipients = 1000;
/** Targets of one message after aliases are expanded. */
export const maxTargets = 1000;

/** Priorities of targets: lower goes first. */
export const priorities = { report: 0, ordinary: 1, bulk: 2 } as const;

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
  sizeBytes: number;
  priority: number;
  nowMs: number;
  /** No attempt before this (a send that was put off); default now. */
  dueAt?: number;
  expireAfterMs: number;
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

type Addressee = Pick<ResolvedRecipient, 'recipient' | 'notify' | 'originalRecipient'>;

function target(
  request: TargetsRequest,
  ranks: Ranks,
  n: number,
  { kind, destination, recipient }: { kind: Target['kind']; destination: string; recipient: Addressee },
): Target {
  const dueAt = request.dueAt ?? request.nowMs;
  return {
    n,
    kind,
    recipient: recipient.recipient,
    destination,
    priority: request.priority,
    rank: ranks.next(request.sender, destination, request.sizeBytes, request.nowMs),
    dueAt,
    expiresAt: dueAt + request.expireAfterMs,
    ...(recipient.notify && { notify: recipient.notify }),
    ...(recipient.originalRecipient !== undefined && { originalRecipient: recipient.originalRecipient }),
  };
}
