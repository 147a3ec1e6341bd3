import { impossibleDomain } from '../../libs/accept/impossible-domain.ts';
import { maxRecipients, maxTargets, type ResolvedRecipient, targetKeys } from '../../libs/accept/targets.ts';
import type { Resolution } from '../../libs/bus/requests.ts';
import { parseAddress } from '../../libs/mail/address/mailbox-address.ts';
import { readNotify, readOrcpt } from '../../libs/smtp/dsn-parameters.ts';
import { type PathCommand, parsePathCommand } from '../../libs/smtp/path-command.ts';
import { type Reply, reply } from '../../libs/smtp/reply.ts';
import type { IngressContext } from './context.ts';
import type { Transaction } from './transaction.ts';

/**
 * The answer to RCPT (RFC 5321 §4.1.1.3), each on its own; one of 250 has added the recipient to the transaction. Rejects when the directory can't be asked.
 */
export async function rcptCommand(line: string, transaction: Transaction, context: IngressContext): Promise<Reply> {
  const command = parsePathCommand('RCPT TO', line);
  if (!command) return reply(501, '5.5.4', 'Syntax: RCPT TO:<address> [parameters]');
  const refusal = parameterFault(command, transaction) ?? pathFault(command.path, transaction);
  if (refusal) return refusal;
  // RFC 5321 §4.5.3.1.10
  if (transaction.recipients.length >= maxRecipients) return tooManyRecipients;
  const addressee = addresseeOf(command.path, transaction, context);
  if ('code' in addressee) return addressee;
  const { recipient, mayRelay } = addressee;
  const [resolution] = await context.resolver.resolve([recipient]);
  if (resolution === undefined) return unknown;
  const wishes = notificationWishes(command);
  if (resolution.kind === 'local')
    return localFault(resolution) ?? add({ recipient, resolution, ...wishes }, transaction);
  if (resolution.kind !== 'remote') return refusals[resolution.kind === 'refused' ? resolution.reason : 'unknown'];
  if (!mayRelay) return relayingDenied;
  const impossible = impossibleDomain(resolution.domain, context.destinations);
  if (impossible !== undefined) return reply(550, '5.1.2', impossible);
  return add({ recipient, resolution, ...wishes }, transaction);
}

function parameterFault({ params }: PathCommand, { extended }: Transaction): Reply | undefined {
  for (const [keyword, value] of params) {
    // RFC 5321 §4.1.1.11: what wasn't announced isn't recognised.
    if (!extended || (keyword !== 'NOTIFY' && keyword !== 'ORCPT'))
      return reply(555, '5.5.4', `RCPT parameter ${keyword} is not known here`);
    if (keyword === 'NOTIFY' && readNotify(value) === undefined)
      return reply(501, '5.5.4', 'NOTIFY is NEVER, or some of SUCCESS, FAILURE and DELAY');
    if (keyword === 'ORCPT' && readOrcpt(value) === undefined)
      return reply(501, '5.5.4', 'ORCPT is a type of address, a semicolon and an address in xtext');
  }
  return undefined;
}

function notificationWishes({ params }: PathCommand): Pick<ResolvedRecipient, 'notify' | 'originalRecipient'> {
  const notify = readNotify(params.get('NOTIFY') ?? true);
  const originalRecipient = readOrcpt(params.get('ORCPT') ?? true);
  return { ...(notify && { notify }), ...(originalRecipient !== undefined && { originalRecipient }) };
}

function pathFault(path: string, { smtputf8 }: Transaction): Reply | undefined {
  // RFC 5321 §4.1.1.3: the postmaster needs no domain.
  if (!parseAddress(path) && !/^postmaster$/i.test(path))
    return reply(501, '5.1.3', 'The recipient is no valid address');
  return !smtputf8 && /[^ -~]/.test(path) ? reply(553, '5.6.7', 'An address beyond ASCII needs SMTPUTF8') : undefined;
}

/** Whom the path means: itself, or of an address under which we have forwarded mail the sender of that mail. */
function addresseeOf(
  path: string,
  { reversePath, mayRelay }: Transaction,
  { forwarding, clock }: IngressContext,
): { recipient: string; mayRelay: boolean } | Reply {
  const answer = forwarding?.srs.reverse(path, clock.nowMs()) ?? { kind: 'none' };
  if (answer.kind === 'none') return { recipient: path, mayRelay };
  if (answer.kind !== 'original') return returnPathFaults[answer.kind];
  // It is there for bounces (RFC 5321 §4.5.5); mail of anybody else through it would be relaying.
  return reversePath === '' ? { recipient: answer.address, mayRelay: true } : returnPathFaults.notABounce;
}

function localFault({ targets, outside = [] }: Extract<Resolution, { kind: 'local' }>): Reply | undefined {
  const enabled = targets.filter((target) => target.enabled);
  if (outside.length > 0) return undefined;
  if (enabled.length === 0) return targets.length === 0 ? unknown : disabled;
  // An alias with room in one of its mailboxes is good: the others' rows wait for room, and their sender is told if none comes.
  return enabled.every((target) => target.overQuota) ? mailboxFull : undefined;
}

function add(recipient: ResolvedRecipient, transaction: Transaction): Reply {
  const added = targetKeys(recipient).filter((key) => !transaction.targets.has(key));
  if (transaction.targets.size + added.length > maxTargets) return tooManyRecipients;
  for (const key of added) transaction.targets.add(key);
  transaction.recipients.push(recipient);
  return accepted;
}

const accepted = reply(250, '2.1.5', 'Recipient OK');
const unknown = reply(550, '5.1.1', 'No such mailbox here');
const disabled = reply(550, '5.2.1', 'The mailbox is disabled');
const mailboxFull = reply(452, '4.2.2', 'The mailbox is full');
const tooManyRecipients = reply(452, '4.5.3', 'Too many recipients, send the rest in another transaction');
const relayingDenied = reply(550, '5.7.1', 'Relaying denied: log in to send mail to other domains');

const refusals = {
  unknown,
  loop: reply(550, '5.4.6', 'The alias leads back to itself'),
  tooMany: reply(550, '5.7.1', 'The alias leads to too many mailboxes'),
} as const;

const returnPathFaults = {
  forged: reply(550, '5.7.1', 'This return address was not made here'),
  expired: reply(550, '5.7.1', 'This return address is good no more'),
  notABounce: reply(550, '5.7.1', 'This return address takes bounces only'),
} as const;
