import { type DestinationRules, impossibleDomain } from '../../../libs/accept/impossible-domain.ts';
import type { Resolver } from '../../../libs/accept/resolver.ts';
import { maxRecipients, maxTargets, type ResolvedRecipient, targetKeys } from '../../../libs/accept/targets.ts';
import type { SenderRights } from '../../../libs/directory/sender-rights.ts';
import { Problem } from '../../../libs/http/problem.ts';
import { parseAddress } from '../../../libs/mail/address/mailbox-address.ts';
import type { SendCaller, SendRequest } from './send-route.ts';

/** Who a message is from, as its From header says. */
export interface Sender {
  name: string | null;
  email: string;
}

/** RFC 6409 §6.1: a submitter sends as itself. */
export async function ownSender(rights: SenderRights, caller: SendCaller, request: SendRequest): Promise<Sender> {
  if (request.from === undefined) return { name: null, email: caller.address };
  const address = parseAddress(request.from.email);
  if (address === undefined || !(await rights.mayUse(caller.accountId, address.display))) {
    throw new Problem(422, 'senderNotOwned', 'The sender isn’t one of the account’s addresses', request.from.email);
  }
  return { name: request.from.name ?? null, email: address.display };
}

/** Every recipient must have somewhere to go, here or elsewhere, else nothing is sent and the problem lists those that haven't. */
export async function deliverable(
  { resolver, settings }: { resolver: Resolver; settings: DestinationRules },
  request: SendRequest,
  signal: AbortSignal,
): Promise<ResolvedRecipient[]> {
  const emails = [...request.to, ...request.cc, ...request.bcc].map(({ email }) => email);
  if (emails.length === 0)
    throw new Problem(422, 'noRecipients', 'There is nobody to send to', 'name somebody in to, cc or bcc');
  if (emails.length > maxRecipients)
    throw new Problem(422, 'tooManyRecipients', 'Too many recipients', `at most ${maxRecipients}`);
  const refused: { email: string; reason: string }[] = [];
  const recipients: ResolvedRecipient[] = [];
  for (const email of emails) {
    const address = parseAddress(email);
    if (address === undefined) {
      refused.push({ email, reason: 'invalidAddress' });
      continue;
    }
    const resolution = await resolver.resolve(address.display, signal);
    if (resolution.kind === 'unknown' || resolution.kind === 'refused')
      refused.push({ email, reason: resolution.kind });
    else if (resolution.kind === 'remote' && impossibleDomain(resolution.domain, settings) !== undefined)
      refused.push({ email, reason: 'impossibleDomain' });
    else recipients.push({ recipient: address.display, resolution });
  }
  if (refused.length > 0) {
    throw new Problem(422, 'recipientsRefused', 'Some recipients can’t be delivered to', 'nothing was sent', {
      recipients: refused,
    });
  }
  if (new Set(recipients.flatMap(targetKeys)).size > maxTargets)
    throw new Problem(422, 'tooManyRecipients', 'Too many recipients', `at most ${maxTargets}, aliases expanded`);
  return recipients;
}

/** How far ahead a send may be put off. */
const maxDelayMs = 366 * 24 * 3_600_000;

export function dueAtOf(request: SendRequest, nowMs: number): number | undefined {
  if (request.sendAt === undefined) return undefined;
  const dueAt = Date.parse(request.sendAt);
  if (dueAt > nowMs + maxDelayMs) throw new Problem(422, 'sendAtTooFar', 'sendAt is too far ahead', 'at most 366 days');
  return Math.max(dueAt, nowMs);
}

/** RFC 6531 §3.3: an envelope with an address outside ASCII. */
export function needsUtf8(sender: string, recipients: readonly { recipient: string }[]): boolean {
  return [sender, ...recipients.map(({ recipient }) => recipient)].some((address) => /[^\x00-\x7f]/.test(address));
}
